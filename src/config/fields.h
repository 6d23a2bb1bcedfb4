/* fields: options as rows, and what can be done with any table of them */
#ifndef GM_CONFIG_FIELDS_H
#define GM_CONFIG_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/diagnostics.h"
#include "config/expand.h"
#include "config/yaml.h"

typedef enum gm_field_type {
    GM_FIELD_TEXT,     /* char *, owned */
    GM_FIELD_FILE,     /* char *, owned: a file name, relative to the configuration file's folder */
    GM_FIELD_HOST,     /* char *, owned: a name or an address; "" where the default is "" */
    GM_FIELD_PORT,     /* uint64_t; this and all below */
    GM_FIELD_COUNT,    /* min..max */
    GM_FIELD_AUTO,     /* min..max, or "auto" = 0 */
    GM_FIELD_DURATION, /* milliseconds, min..max */
    GM_FIELD_SIZE,     /* bytes, min..max */
    GM_FIELD_FRACTION, /* millionths, 0 to 1 */
    GM_FIELD_CHOICE,   /* index into `choices` */
    GM_FIELD_BOOLEAN,  /* 0 or 1; `choices` are "false" and "true" */
    GM_FIELD_SECTION,  /* a struct with rows of its own */
    GM_FIELD_LIST,     /* GM_VECTOR(struct *) of such structs */
    GM_FIELD_TEXTS,    /* gm_texts_t: a list of texts, or a single one */
    GM_FIELD_LISTEN /* shorthand "host:port" for listen_host and listen_port, offset of each in `shorthand` */
} gm_field_type_t;

enum {
    GM_FIELD_REQUIRED = 1,
    GM_FIELD_GUESSED = 2,    /* a shorthand people guess: not documented */
    GM_FIELD_WILDCARD = 4,   /* a text: the host of requests, for config/validate and the JSON schema */
    GM_FIELD_PATH = 8,       /* a text: the path of requests, likewise */
    GM_FIELD_CIDR = 16,      /* texts: addresses and networks, see base/cidr */
    GM_FIELD_UNIX = 64,      /* a host: or "unix:/path", which has no port */
    GM_FIELD_STANDARD = 128, /* a file: or "stdout" or "stderr" */
    GM_FIELD_OFF = 256,      /* a text or a file: or "", "off" or "false", which all mean none */
    GM_FIELD_INSTEAD = 32,   /* may be given instead of all required rows of its section */
    GM_FIELD_ONE_OF = 1024,  /* a section: exactly one of the rows that have this is given, even if empty */
    GM_FIELD_SECRET = 2048,  /* a text: not shown to those who look inside */
    GM_FIELD_NAME = 512,     /* a text: the name of a header field, for config/validate and the JSON schema */
    GM_FIELD_OPEN = 4096     /* a duration or a fraction: or "auto" = GM_LEFT_OPEN, it is said elsewhere */
};

typedef struct gm_section gm_section_t;

/** One option. Adding a row adds the parser, the default, the dump, the reference and the JSON schema. */
typedef struct gm_field {
    const char *name;
    gm_field_type_t type;
    size_t offset;              /* of the value in the section's struct */
    const char *fallback;       /* the default as a person writes it; NULL = none */
    uint64_t min, max;          /* of numbers, in the unit of the struct */
    const char *const *choices; /* NULL-terminated */
    const gm_section_t *section;
    unsigned flags;
    const char *guesses; /* other names people try, separated by blanks; accepted with a warning */
    const char *help;
} gm_field_t;

struct gm_section {
    const char *title;        /* for messages: "proxy.timeout" */
    const gm_field_t *fields; /* ended by a row without a name */
    size_t struct_bytes;
    ptrdiff_t present_offset; /* of a bool that says whether the file has the section; -1 = none */
    ptrdiff_t place_offset;   /* of a gm_place_t; -1 = none */
    /* "host:port" instead of the mapping: offsets of host and port; -1 = not allowed */
    ptrdiff_t host_offset, port_offset;
};

typedef struct gm_fill {
    gm_config_t *config; /* keeps the origins */
    gm_diagnostics_t *diagnostics;
    gm_lookup_t lookup;
    const char *folder; /* of the configuration file; NULL = names stay as they are */
} gm_fill_t;

/** Fills a struct from a mapping; what is not given gets its default. Errors are added, filling goes on. */
void gm_fields_fill(const gm_fill_t *fill, const gm_section_t *section, void *into, const gm_node_t *node);

/** Gives every field of a zeroed struct its default. */
void gm_fields_set_defaults(const gm_section_t *section, void *into);

/** The row that may be given instead of the required ones; NULL = none. */
const gm_field_t *gm_fields_instead(const gm_section_t *section);

/** Frees what the fields of a struct own, not the struct itself. */
void gm_fields_dispose(const gm_section_t *section, void *of);

/** Whether a file's name stands for one of the process's own. */
bool gm_field_is_standard(const gm_field_t *field, const char *text);

/** The shortest text that gives the same value. `out` is cleared first. Not for sections and lists. */
void gm_field_format(const gm_field_t *field, const void *of, gm_buffer_t *out);

#endif
