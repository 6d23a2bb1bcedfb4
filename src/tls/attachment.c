/*
 * Our data at an SSL_CTX. OpenSSL's callbacks hand over no pointer of ours, only the connection, so they find
 * their state this way. Contexts are made on the main thread, callbacks run on workers.
 */
#include "tls/attachment.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"

typedef struct attachment {
    void *data; /* owned */
    void (*destroy)(void *data);
} attachment_t;

/* The place that OpenSSL reserves for us, once per process: written once, before anybody reads it. */
static pthread_once_t reserved = PTHREAD_ONCE_INIT;
static int place;

static void on_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number, void *unused)
{
    attachment_t *attachment = value;

    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)unused;
    if (attachment == NULL)
        return;
    attachment->destroy(attachment->data);
    free(attachment);
}

static void reserve(void)
{
    place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_free);
    if (place < 0)
        abort(); /* out of memory */
}

void gm_attachment_set(SSL_CTX *context, void *data, void (*destroy)(void *data))
{
    attachment_t *attachment = gm_alloc(sizeof(*attachment));

    pthread_once(&reserved, reserve);
    attachment->data = data;
    attachment->destroy = destroy;
    if (SSL_CTX_set_ex_data(context, place, attachment) != 1)
        abort(); /* out of memory */
}

void *gm_attachment_get(const SSL_CTX *context)
{
    return ((attachment_t *)SSL_CTX_get_ex_data(context, place))->data;
}
