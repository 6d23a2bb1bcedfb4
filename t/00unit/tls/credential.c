/* Certificates and keys as people have them: good, expired, swapped, protected, damaged, not there. */
#include "tls/credential.h"

#include <openssl/err.h>

#include "certificates.h"

static void make_files(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256"), *weak = EVP_RSA_gen(1024);

    certificates_write("cert", key, -60, 3600);
    certificates_write("old", key, -7200, -3600);
    certificates_write("early", key, 3600, 7200);
    certificates_write("mixed", key, -7200, -3600);
    certificates_write("mixed", key, -60, 3600);
    certificates_write("weak", weak, -60, 3600);
    certificates_write("chain", key, -60, 3600);
    certificates_write("chain", other, -60, 3600);
    certificates_write("turned", other, -60, 3600);
    certificates_write("turned", key, -60, 3600);
    certificates_write("damaged", key, -60, 3600);
    certificates_write_text("damaged", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    certificates_write_text("blank", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    certificates_write_text("blank", "-----BEGIN CERTIFICATE-----\n");
    certificates_write("letters", key, -60, 3600);
    certificates_write_text("letters", "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n");
    certificates_write_text("cut", "about this file\n-----BEGIN CERTIFICATE-----\nAAAA\n");
    certificates_write_text("open", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    certificates_write("open", key, -60, 3600);
    certificates_write("key-cut", key, -60, 3600);
    certificates_write_text("key-cut", "-----BEGIN PRIVATE KEY-----\nAAAA\n");
    certificates_write("begun", key, -60, 3600);
    certificates_write_text("begun", "-----BEGIN CERTIFICATE-----\n");
    certificates_write("noted", key, -60, 3600);
    certificates_write_text("noted", "that was all\n");
    certificates_write_key("key", key, NULL);
    certificates_write_key("other", other, NULL);
    certificates_write_key("weak-key", weak, NULL);
    certificates_write_key("locked", key, "secret");
    certificates_write_text("junk", "nothing of use\n");
    certificates_write_text("empty", "");
    certificates_write("both", key, -60, 3600); /* key and certificate in one file, as some tools want it */
    certificates_write_key("both", key, NULL);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    EVP_PKEY_free(weak);
}

/* Checks two files of the folder. `error` about the key or the certificate, or else `warning`; NULL = none.
 */
static bool gives(const char *cert, const char *key, const char *error, bool about_key, const char *warning)
{
    gm_error_t err = {0}, warned = {0};
    bool key_is_meant = !about_key;
    int ret =
        gm_credential_check(certificates_path(cert), certificates_path(key), &key_is_meant, &err, &warned);

    note("%s, %s: %s%s", cert, key, err.text, warned.text);
    if (ERR_peek_error() != 0)
        return false; /* would be taken for the error of whoever comes next */
    if (error != NULL)
        return ret == -1 && strstr(err.text, error) != NULL && key_is_meant == about_key &&
               warned.text[0] == '\0';
    return ret == 0 && err.text[0] == '\0' &&
           (warning != NULL ? strstr(warned.text, warning) != NULL : warned.text[0] == '\0');
}

static void test_good(void)
{
    ok(gives("cert", "key", NULL, false, NULL));
    ok(gives("chain", "key", NULL, false, NULL));
    ok(gives("both", "both", NULL, false, NULL));
    ok(gives("cert", "both", NULL, false, NULL));
    ok(gives("noted", "key", NULL, false, NULL));
    ok(gives("old", "key", NULL, false, "has expired"));
    ok(gives("early", "key", NULL, false, "not valid yet"));
}

static void test_keys(void)
{
    ok(gives("cert", "other", "does not fit", true, NULL));
    ok(gives("turned", "key", "does not fit", true, NULL)); /* the server's own comes first */
    ok(gives("cert", "locked", "passphrase", true, NULL));
    ok(gives("cert", "missing", "No such file", true, NULL));
    ok(gives("cert", "junk", "PEM private key", true, NULL));
    ok(gives("cert", "empty", "PEM private key", true, NULL));
    ok(gives("cert", "cert", "PEM private key", true, NULL));
    ok(gives("cert", "", "folder", true, NULL));
    ok(gives("cert", "key/x", "Not a directory", true, NULL));
}

static void test_certificates(void)
{
    ok(gives("missing", "key", "No such file", false, NULL));
    ok(gives("junk", "key", "PEM certificate", false, NULL));
    ok(gives("empty", "key", "PEM certificate", false, NULL));
    ok(gives("key", "key", "PEM certificate", false, NULL));
    ok(gives("", "key", "folder", false, NULL));
    ok(gives("weak", "weak-key", "ee key too small", false, NULL)); /* refused at start, so refused here */
    ok(gives("missing", "missing", "cert_file", false, NULL));
}

/* How many lines a file has. */
static int lines(const char *name)
{
    FILE *file = fopen(certificates_path(name), "r");
    int count = 0;

    for (int c; (c = getc(file)) != EOF;)
        count += c == '\n';
    fclose(file);
    return count;
}

/* Says that `part`, which begins in that line, is damaged and why, and what to do. */
static bool damaged(const char *name, const char *part, int line, const char *why)
{
    char text[512];

    snprintf(
        text, sizeof(text),
        "cert_file \"%s\" is damaged: the %s that begins in line %d %s; copy the file again from where it "
        "was issued",
        certificates_path(name), part, line, why);
    return gives(name, "key", text, false, NULL);
}

static void test_damage(void)
{
    ok(damaged("damaged", "certificate", lines("damaged") - 2, "cannot be decoded"));
    ok(damaged("blank", "certificate", 1, "cannot be decoded"));
    ok(damaged("letters", "certificate", lines("letters") - 2, "is not base64 throughout"));
    ok(damaged("cut", "certificate", 2, "has no end"));
    ok(damaged("open", "certificate", 1, "has no end"));
    ok(damaged("begun", "certificate", lines("begun"), "has no end"));
    ok(damaged("key-cut", "part", lines("key-cut") - 1, "has no end"));
}

static bool authorities_give(const char *name, const char *error, const char *warning)
{
    gm_error_t err = {0}, warned = {0};
    int ret = gm_credential_check_authorities("client_ca_file", certificates_path(name), &err, &warned);

    note("%s: %s%s", name, err.text, warned.text);
    return ERR_peek_error() == 0 && ret == (error != NULL ? -1 : 0) &&
           (error != NULL ? strstr(err.text, error) != NULL : err.text[0] == '\0') &&
           (warning != NULL ? strstr(warned.text, warning) != NULL : warned.text[0] == '\0');
}

static void test_authorities(void)
{
    ok(authorities_give("cert", NULL, NULL));
    ok(authorities_give("chain", NULL, NULL));
    ok(authorities_give("old", NULL, "no certificate in client_ca_file"));
    ok(authorities_give("mixed", NULL, NULL));
    ok(authorities_give("missing", "client_ca_file", NULL));
    ok(authorities_give("", "is a folder", NULL));
    ok(authorities_give("key", "has no PEM certificate", NULL));
    ok(authorities_give("damaged", "client_ca_file", NULL));
}

static void test_names(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *named = certificates_make("a", "DNS:a.example", key, NULL, NULL),
         *address = certificates_make("a", "IP:127.0.0.1", key, NULL, NULL);

    certificates_save("named", named);
    certificates_save("address", address);
    ok(gm_credential_has_names(certificates_path("named")));
    ok(!gm_credential_has_names(certificates_path("address")));
    ok(!gm_credential_has_names(certificates_path("cert")));
    ok(!gm_credential_has_names(certificates_path("missing")));
    ok(ERR_peek_error() == 0);
    X509_free(named);
    X509_free(address);
    EVP_PKEY_free(key);
}

int main(void)
{
    certificates_open();
    make_files();
    subtest("good ones", test_good);
    subtest("keys", test_keys);
    subtest("certificates", test_certificates);
    subtest("damage", test_damage);
    subtest("authorities", test_authorities);
    subtest("names", test_names);
    certificates_close();
    return done_testing();
}
