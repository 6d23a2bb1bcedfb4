/* processors: how many this process may use */
#ifndef GM_SERVER_PROCESSORS_H
#define GM_SERVER_PROCESSORS_H

/** At least 1: the smaller of the affinity mask and the cgroup's CPU quota (rounded up). */
unsigned gm_processors_allowed(void);

#endif
