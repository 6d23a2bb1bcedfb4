/* The table of offences as data. Called by front/h2 for the log, and for the page of metrics; any thread. */
#include "telemetry/offence.h"

const char *gm_offence_label(gm_offence_t offence)
{
    static const char *const labels[] = {
#define GM_OFFENCE_LABEL(name, label, text) label,
        GM_OFFENCES(GM_OFFENCE_LABEL)
#undef GM_OFFENCE_LABEL
    };

    return labels[offence];
}

const char *gm_offence_text(gm_offence_t offence)
{
    static const char *const texts[] = {
#define GM_OFFENCE_TEXT(name, label, text) text,
        GM_OFFENCES(GM_OFFENCE_TEXT)
#undef GM_OFFENCE_TEXT
    };

    return texts[offence];
}
