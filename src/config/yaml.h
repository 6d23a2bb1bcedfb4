/* yaml: a YAML document as a tree that knows the line and column of everything */
#ifndef GM_CONFIG_YAML_H
#define GM_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/vector.h"
#include "config/diagnostics.h"

#define GM_YAML_MAX_BYTES (1024 * 1024)
#define GM_YAML_MAX_DEPTH 64
#define GM_YAML_MAX_NODES 100000 /* with every alias counted as what it stands for */

typedef enum gm_node_kind { GM_NODE_SCALAR, GM_NODE_MAP, GM_NODE_LIST } gm_node_kind_t;

typedef struct gm_node gm_node_t;

typedef struct gm_pair {
    const gm_node_t *key; /* always a scalar */
    const gm_node_t *value;
} gm_pair_t;

/** One node; an alias is the same node in several places, so nodes are never changed once the tree is made.
 */
struct gm_node {
    gm_node_kind_t kind;
    gm_place_t place;
    char *text;                         /* scalar: owned, NUL-terminated */
    bool quoted;                        /* scalar: written in quotes or as a block, so never null */
    GM_VECTOR(gm_pair_t) pairs;         /* map, without duplicates */
    GM_VECTOR(const gm_node_t *) items; /* list */
    size_t height; /* levels of lists and mappings, this one included, aliases expanded; so far, while it is
                      read */
    size_t weight; /* nodes below and including this one, aliases expanded; 0 while it is being read */
};

typedef struct gm_tree gm_tree_t; /* owns all nodes of a document */

/**
 * Parses one document. What is wrong is added to *diagnostics (syntax, duplicate keys, limits above).
 * @param text  borrowed for the call; the caller has named it by gm_diagnostics_set_source
 * @return NULL if the text is not YAML within the limits; a duplicate key alone still gives a tree
 */
GM_MUST_USE gm_tree_t *gm_yaml_parse(const char *text, size_t length, gm_diagnostics_t *diagnostics);

/** The top node; NULL for an empty document. */
const gm_node_t *gm_tree_root(const gm_tree_t *self);

/** "nothing there": an empty plain scalar, `~` or `null`. */
bool gm_node_is_null(const gm_node_t *self);

/** What a person would call it: "a mapping", "a list", "text". */
const char *gm_node_kind_name(const gm_node_t *self);

void gm_tree_destroy(gm_tree_t *self);

/** "0.2.5" */
const char *gm_yaml_library_version(void);

#endif
