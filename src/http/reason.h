/* reason: what a status is called */
#ifndef GM_HTTP_REASON_H
#define GM_HTTP_REASON_H

/** The reason phrase of a registered status (RFC 9110, 15; RFC 6585 and others), otherwise that of its class.
 */
const char *gm_reason_phrase(unsigned status);

#endif
