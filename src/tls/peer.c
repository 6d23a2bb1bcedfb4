/*
 * Tells the backend who the client is. What stands in a certificate was written by whoever asked for it, so
 * every byte is looked at. Called once per connection or request, on its worker.
 */
#include "tls/peer.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/buffer.h"

typedef struct description {
    char *out; /* borrowed */
    size_t size, length;
} description_t;

/* An item, whole or not at all. */
static void add(description_t *self, const char *text, size_t length)
{
    size_t separator = self->length != 0 ? 1 : 0;

    if (self->length + separator + length + 1 > self->size)
        return;
    if (separator != 0)
        self->out[self->length++] = ';';
    memcpy(self->out + self->length, text, length);
    self->length += length;
    self->out[self->length] = '\0';
}

static bool add_hash(description_t *self, const X509 *certificate)
{
    char text[5 + 2 * EVP_MAX_MD_SIZE] = "Hash=";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    if (X509_digest(certificate, EVP_sha256(), digest, &length) != 1)
        return false;
    for (unsigned i = 0; i != length; ++i) {
        text[5 + 2 * i] = "0123456789abcdef"[digest[i] >> 4];
        text[6 + 2 * i] = "0123456789abcdef"[digest[i] & 15];
    }
    add(self, text, 5 + 2 * (size_t)length);
    return self->length != 0;
}

/*
 * RFC 2253 escapes what is not printable as \XX. It writes \" and \\ where a byte stands for itself; these
 * become \22 and \5C, which say the same, so that no reader can take them for the end of the quoted value or
 * miss it.
 */
static void append_subject(gm_buffer_t *item, const char *name, size_t length)
{
    for (size_t i = 0; i != length; ++i) {
        bool is_pair = name[i] == '\\' && i + 1 != length;
        if (is_pair && (name[i + 1] == '"' || name[i + 1] == '\\'))
            gm_buffer_append_text(item, name[++i] == '"' ? "\\22" : "\\5C");
        else if ((unsigned char)name[i] < 0x20 || (unsigned char)name[i] >= 0x7f || name[i] == '"')
            gm_buffer_printf(item, "\\%02X", (unsigned char)name[i]);
        else
            gm_buffer_append_char(item, name[i]);
    }
}

static void add_subject(description_t *self, const X509 *certificate)
{
    BIO *memory = BIO_new(BIO_s_mem());
    gm_buffer_t item = {0};
    char *name;
    long length;

    if (memory == NULL ||
        X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0)
        goto Exit;
    length = BIO_get_mem_data(memory, &name);
    gm_buffer_append_text(&item, "Subject=\"");
    append_subject(&item, name, (size_t)length);
    gm_buffer_append_char(&item, '"');
    add(self, item.text, item.length);
Exit:
    BIO_free(memory);
    gm_buffer_dispose(&item);
}

/* Percent-codes stand for what is no character of a URI (RFC 3986) and could break the header. */
static void add_name(description_t *self, const char *key, const ASN1_STRING *name)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(name);
    size_t length = (size_t)ASN1_STRING_length(name);
    const char *quote = "";
    gm_buffer_t item = {0};

    for (size_t i = 0; i != length; ++i)
        if (bytes[i] == ',' || bytes[i] == ';' || bytes[i] == '=')
            quote = "\"";
    gm_buffer_printf(&item, "%s=%s", key, quote);
    for (size_t i = 0; i != length; ++i) {
        if (bytes[i] <= 0x20 || bytes[i] >= 0x7f || strchr("\"\\<>^`{|}", bytes[i]) != NULL)
            gm_buffer_printf(&item, "%%%02X", bytes[i]);
        else
            gm_buffer_append_char(&item, (char)bytes[i]);
    }
    gm_buffer_append_text(&item, quote);
    add(self, item.text, item.length);
    gm_buffer_dispose(&item);
}

static void add_names(description_t *self, const X509 *certificate, int type, const char *key)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == type)
            add_name(self, key, type == GEN_URI ? name->d.uniformResourceIdentifier : name->d.dNSName);
    }
    GENERAL_NAMES_free(names);
}

size_t gm_tls_peer_describe(SSL *ssl, char *out, size_t out_bytes)
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    description_t self = {.out = out, .size = out_bytes};

    if (out_bytes != 0)
        out[0] = '\0';
    if (certificate == NULL || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE ||
        SSL_get_verify_result(ssl) != X509_V_OK)
        return 0;
    if (add_hash(&self, certificate)) {
        add_subject(&self, certificate);
        add_names(&self, certificate, GEN_URI, "URI");
        add_names(&self, certificate, GEN_DNS, "DNS");
    }
    ERR_clear_error();
    return self.length;
}
