/*
 * The distance of words, and which candidate is near enough to be suggested.
 */
#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "picotest.h"

static void test_distance(void)
{
    ok(gm_suggest_distance("", "") == 0);
    ok(gm_suggest_distance("port", "port") == 0);
    ok(gm_suggest_distance("Port", "pORT") == 0);
    ok(gm_suggest_distance("", "abc") == 3);
    ok(gm_suggest_distance("abc", "") == 3);
    ok(gm_suggest_distance("port", "prt") == 1);
    ok(gm_suggest_distance("port", "ports") == 1);
    ok(gm_suggest_distance("port", "pert") == 1);
    ok(gm_suggest_distance("port", "prot") == 1);
    ok(gm_suggest_distance("kitten", "sitting") == 3);
    ok(gm_suggest_distance("ca", "abc") == 3); /* a swapped pair is not edited again */
    ok(gm_suggest_distance("abcdef", "badcfe") == 3);
    ok(gm_suggest_distance("listen_port", "lisetn_prot") == 2);
}

/* A word of one letter; the caller frees it. */
static char *repeat(char letter, size_t length)
{
    char *word = gm_alloc(length + 1);

    memset(word, letter, length);
    return word;
}

static size_t distance_of_runs(char a_letter, size_t a_length, char b_letter, size_t b_length)
{
    char *a = repeat(a_letter, a_length), *b = repeat(b_letter, b_length);
    size_t distance = gm_suggest_distance(a, b);

    free(a);
    free(b);
    return distance;
}

static void test_distance_of_long_words(void)
{
    char *a = repeat('a', 300), *b = repeat('a', 300);

    ok(gm_suggest_distance(a, b) == 0);
    b[0] = b[299] = 'x';
    ok(gm_suggest_distance(a, b) == 2);
    free(a);
    free(b);
    ok(distance_of_runs('a', 300, 'a', 363) == 63);
    ok(distance_of_runs('a', 363, 'a', 300) == 63);
    ok(distance_of_runs('a', 300, 'a', 364) == 64);
    ok(distance_of_runs('a', 300, 'a', 500) == 64);
    ok(distance_of_runs('a', 63, 'b', 63) == 63);
    ok(distance_of_runs('a', 64, 'b', 64) == 64);
    ok(distance_of_runs('a', 300, 'b', 300) == 64);
    ok(distance_of_runs('a', 0, 'b', 63) == 63);
    ok(distance_of_runs('a', 0, 'b', 100) == 64);
}

/* The textbook recursion, slow and plain. */
static size_t slow_distance(const char *a, size_t i, const char *b, size_t j)
{
    size_t best, other;

    if (i == 0 || j == 0)
        return i + j;
    best = slow_distance(a, i - 1, b, j - 1) + (a[i - 1] != b[j - 1]);
    other = slow_distance(a, i - 1, b, j) + 1;
    best = other < best ? other : best;
    other = slow_distance(a, i, b, j - 1) + 1;
    best = other < best ? other : best;
    if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        other = slow_distance(a, i - 2, b, j - 2) + 1;
        best = other < best ? other : best;
    }
    return best;
}

static void fill_word(char *word, unsigned *state)
{
    size_t length = (*state = *state * 1103515245 + 12345) >> 16 & 7;

    if (length > 6)
        length = 6;
    for (size_t i = 0; i < length; ++i)
        word[i] = (char)('a' + ((*state = *state * 1103515245 + 12345) >> 16) % 3);
    word[length] = '\0';
}

static void test_distance_is_the_textbooks(void)
{
    unsigned state = 7, failures = 0;
    char a[8], b[8];

    for (unsigned i = 0; i < 1000; ++i) {
        fill_word(a, &state);
        fill_word(b, &state);
        if (gm_suggest_distance(a, b) != slow_distance(a, strlen(a), b, strlen(b)) ||
            gm_suggest_distance(a, b) != gm_suggest_distance(b, a)) {
            note("%s %s: %zu", a, b, gm_suggest_distance(a, b));
            ++failures;
        }
    }
    ok(failures == 0);
}

static const char *suggest(const char *wanted)
{
    static const char *const keys[] = {"listen_port",  "read_timeout", "write_timeout",
                                       "idle_timeout", "host",         "tls"};
    gm_suggestion_t suggestion = {.wanted = wanted};

    for (size_t i = 0; i < GM_COUNT_OF(keys); ++i)
        gm_suggestion_offer(&suggestion, keys[i]);
    return suggestion.best != NULL ? suggestion.best : "nothing";
}

static void test_suggestions(void)
{
    ok(strcmp(suggest("lisen_port"), "listen_port") == 0);
    ok(strcmp(suggest("LISTEN_PORT"), "listen_port") == 0);
    ok(strcmp(suggest("listenport"), "listen_port") == 0);
    ok(strcmp(suggest("raed_timeout"), "read_timeout") == 0);
    ok(strcmp(suggest("wirte_timeout"), "write_timeout") == 0);
    ok(strcmp(suggest("hots"), "host") == 0);
    ok(strcmp(suggest("tlz"), "tls") == 0);
    ok(strcmp(suggest("banana"), "nothing") == 0);
    ok(strcmp(suggest("hoax"), "nothing") == 0); /* two letters of four */
    ok(strcmp(suggest("x"), "nothing") == 0);
    ok(strcmp(suggest(""), "nothing") == 0);
}

static void test_the_nearest_wins(void)
{
    gm_suggestion_t suggestion = {.wanted = "cluster"};

    gm_suggestion_offer(&suggestion, "clutters");
    ok(suggestion.best != NULL && strcmp(suggestion.best, "clutters") == 0 && suggestion.distance == 2);
    gm_suggestion_offer(&suggestion, "clusters");
    ok(strcmp(suggestion.best, "clusters") == 0 && suggestion.distance == 1);
    gm_suggestion_offer(&suggestion, "bluster");
    gm_suggestion_offer(&suggestion, "clutters");
    ok(strcmp(suggestion.best, "clusters") == 0);
}

int main(void)
{
    subtest("distance", test_distance);
    subtest("distance of long words", test_distance_of_long_words);
    subtest("distance is the textbook's", test_distance_is_the_textbooks);
    subtest("suggestions", test_suggestions);
    subtest("the nearest wins", test_the_nearest_wins);
    return done_testing();
}
