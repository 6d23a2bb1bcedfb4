/*
 * Session ticket keys. OpenSSL's own key lives as long as its context: who gets hold of it reads every
 * recorded connection of a long-lived process that resumed under TLS 1.2. All workers share the keys under a
 * lock, once per handshake.
 */
#include "tls/ticket_keys.h"

#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

typedef struct ticket_key {
    unsigned char name[16], cipher_key[32], mac_key[32];
} ticket_key_t;

struct gm_ticket_keys {
    /* immutable */
    uint64_t period_ms;
    uint64_t (*now_ms)(void);
    /* under lock */
    pthread_mutex_t lock;
    ticket_key_t current, previous;
    bool has_previous;
    uint64_t begin_ms; /* of the current key's period */
};

gm_ticket_keys_t *gm_ticket_keys_create(uint64_t period_ms, uint64_t (*now_ms)(void), gm_error_t *err)
{
    gm_ticket_keys_t *self = gm_alloc(sizeof(*self));

    self->period_ms = period_ms;
    self->now_ms = now_ms;
    self->begin_ms = now_ms();
    pthread_mutex_init(&self->lock, NULL);
    if (RAND_bytes((unsigned char *)&self->current, sizeof(self->current)) == 1)
        return self;
    ERR_clear_error();
    gm_error_set(err, NULL, "OpenSSL has no random numbers for session tickets");
    gm_ticket_keys_destroy(self);
    return NULL;
}

void gm_ticket_keys_destroy(gm_ticket_keys_t *self)
{
    if (self == NULL)
        return;
    pthread_mutex_destroy(&self->lock);
    OPENSSL_cleanse(self, sizeof(*self));
    free(self);
}

/* Keys of periods that are over go, whether or not anybody came by in between. */
static void rotate(gm_ticket_keys_t *self)
{
    uint64_t age_ms = self->now_ms() - self->begin_ms;
    ticket_key_t fresh;

    if (age_ms < self->period_ms)
        return;
    if (RAND_bytes((unsigned char *)&fresh, sizeof(fresh)) != 1) {
        ERR_clear_error();
        return; /* an old key is better than none; the next handshake tries again */
    }
    self->has_previous = age_ms < 2 * self->period_ms;
    if (self->has_previous)
        self->previous = self->current;
    else
        OPENSSL_cleanse(&self->previous, sizeof(self->previous));
    self->current = fresh;
    self->begin_ms += age_ms - age_ms % self->period_ms;
    OPENSSL_cleanse(&fresh, sizeof(fresh));
}

/* Copies the key out. @return as gm_ticket_keys_apply */
static int find(gm_ticket_keys_t *self, const unsigned char *name, bool seal, ticket_key_t *key)
{
    int found = 0;

    pthread_mutex_lock(&self->lock);
    rotate(self);
    if (seal || memcmp(name, self->current.name, sizeof(key->name)) == 0) {
        *key = self->current;
        found = 1;
    } else if (self->has_previous && memcmp(name, self->previous.name, sizeof(key->name)) == 0) {
        *key = self->previous;
        found = 2;
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

int gm_ticket_keys_apply(gm_ticket_keys_t *self, unsigned char *name, unsigned char *iv,
                         EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool seal)
{
    const EVP_CIPHER *how = EVP_aes_256_cbc();
    char digest[] = "SHA256";
    ticket_key_t key;
    int found = find(self, name, seal, &key);
    OSSL_PARAM parameters[3];

    if (found == 0)
        return 0;
    parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac_key, sizeof(key.mac_key));
    parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    parameters[2] = OSSL_PARAM_construct_end();
    if (seal) {
        memcpy(name, key.name, sizeof(key.name));
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(how)) != 1)
            found = -1;
    }
    if (found != -1 && (EVP_CipherInit_ex(cipher, how, NULL, key.cipher_key, iv, seal) != 1 ||
                        EVP_MAC_CTX_set_params(mac, parameters) != 1))
        found = -1;
    OPENSSL_cleanse(&key, sizeof(key));
    return found;
}
