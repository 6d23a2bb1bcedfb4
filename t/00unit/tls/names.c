/* The names in a certificate. */
#include "tls/names.h"

#include "certificates.h"

static bool has(const char *given, const char *wanted)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificates_make("common.example", given, key, NULL, NULL);
    gm_texts_t names = {0};
    char found[512] = "";

    gm_names_of_certificate(certificate, &names);
    for (size_t i = 0; i != names.size; ++i) {
        strcat(strcat(found, i != 0 ? " " : ""), names.items[i]);
        free(names.items[i]);
    }
    gm_vector_dispose(&names);
    X509_free(certificate);
    EVP_PKEY_free(key);
    note("%s: %s", given != NULL ? given : "none", found);
    return strcmp(found, wanted) == 0;
}

static void test_names(void)
{
    ok(has("DNS:a.example,IP:127.0.0.1,DNS:*.B.example,URI:spiffe://x", "a.example *.b.example"));
    ok(has("DNS:a.example.", "a.example"));
    ok(has("DNS:a b,DNS:*,DNS:a.*.example,DNS:c", "c"));
    ok(has("IP:127.0.0.1", ""));
    ok(has(NULL, "")); /* the common name does not count */
}

/* "good.example\0.evil.example" */
static void test_nul(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificates_make("x", NULL, key, NULL, NULL);
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    gm_texts_t names = {0};

    ASN1_STRING_set(text, "good.example\0.evil.example", 26);
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(all, name);
    ok(X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, 0) == 1);
    gm_names_of_certificate(certificate, &names);
    ok(names.size == 0);
    GENERAL_NAMES_free(all);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void test_normalise(void)
{
    static const char *const cases[][2] = {
        {"A.B", "a.b"}, {"a.", "a"}, {".", "."}, {"", ""}, {"*.X.", "*.x"}};

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        char *name = gm_names_normalise(cases[i][0]);
        ok(strcmp(name, cases[i][1]) == 0);
        free(name);
    }
}

int main(void)
{
    subtest("names", test_names);
    subtest("a NUL", test_nul);
    subtest("one form", test_normalise);
    return done_testing();
}
