/* Data at an SSL_CTX lives as long as the context, and so as long as its last connection. */
#include "tls/attachment.h"

#include "picotest.h"

static void count(void *data)
{
    ++*(int *)data;
}

int main(void)
{
    int freed = 0, other = 0;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method()), *second = SSL_CTX_new(TLS_server_method());
    SSL *ssl;

    gm_attachment_set(context, &freed, count);
    gm_attachment_set(second, &other, count);
    ok(gm_attachment_get(context) == &freed && gm_attachment_get(second) == &other);
    ssl = SSL_new(context);
    SSL_CTX_free(context);
    ok(freed == 0 && gm_attachment_get(SSL_get_SSL_CTX(ssl)) == &freed);
    SSL_free(ssl);
    ok(freed == 1 && other == 0);
    SSL_CTX_free(second);
    ok(other == 1);
    SSL_CTX_free(SSL_CTX_new(TLS_server_method())); /* one without */
    return done_testing();
}
