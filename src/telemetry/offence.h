/* offence: what ends a connection of HTTP/2 for what its peer did, with one name for log and metrics */
#ifndef GM_TELEMETRY_OFFENCE_H
#define GM_TELEMETRY_OFFENCE_H

/* clang-format off */
/* Most of it is harmless once, and honest clients do it now and then: it is the rate that ends a connection.
 *
 *    name               label                  what the line says */
#define GM_OFFENCES(X) \
    X(NO_PREFACE,       "no_preface",          "no HTTP/2 preface") \
    X(NONSENSE,         "nonsense",            "frames without sense") \
    X(ENDLESS,          "endless",             "frames without end") \
    X(INVALID,          "invalid_frames",      "frames that break the protocol") \
    X(LATE,             "late_frames",         "frames for streams that are over") \
    X(PROVOKED_RESET,   "provoked_resets",     "frames for which streams are reset") \
    X(RESET,            "resets",              "streams that are reset") \
    X(EMPTY_DATA,       "empty_data",          "DATA frames without data") \
    X(PING,             "pings",               "PING frames") \
    X(SETTINGS,         "settings",            "SETTINGS frames") \
    X(SETTINGS_TIMEOUT, "settings_timeout",    "it does not acknowledge SETTINGS") \
    X(PRIORITY,         "priorities",          "PRIORITY frames") \
    X(SMALL_UPDATE,     "small_updates",       "small WINDOW_UPDATE frames") \
    X(UNKNOWN,          "unknown_frames",      "frames that nobody knows") \
    X(OTHER_PROTOCOL,   "other_protocol",      "it does not speak HTTP/2") \
    X(BOMB,             "header_bomb",         "a head that is many times what it may be")
/* clang-format on */

typedef enum gm_offence {
#define GM_OFFENCE_NAME(name, ...) GM_OFFENCE_##name,
    GM_OFFENCES(GM_OFFENCE_NAME)
#undef GM_OFFENCE_NAME
        GM_OFFENCE_COUNT
} gm_offence_t;

/** The one word, and the half sentence; static. */
const char *gm_offence_label(gm_offence_t offence);
const char *gm_offence_text(gm_offence_t offence);

#endif
