/* Keys come and go by the clock, which is a variable here. */
#include "tls/ticket_keys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "picotest.h"

#define PERIOD 1000

static _Atomic uint64_t now = 5;

static uint64_t read_now(void)
{
    return now;
}

typedef struct name {
    unsigned char bytes[16];
} name_t;

/* Seals and reads with whatever contexts OpenSSL would bring along. @return as gm_ticket_keys_apply */
static int apply(gm_ticket_keys_t *keys, name_t *name, bool seal)
{
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(algorithm);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    unsigned char iv[EVP_MAX_IV_LENGTH] = {0};
    int ret = gm_ticket_keys_apply(keys, name->bytes, iv, cipher, mac, seal);

    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(algorithm);
    return ret;
}

static bool is_same(const name_t *a, const name_t *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static void test_rotation(void)
{
    gm_error_t err = {0};
    gm_ticket_keys_t *keys = gm_ticket_keys_create(PERIOD, read_now, &err);
    const uint64_t start = now;
    name_t first, second, other = {{0}};

    ok(keys != NULL && apply(keys, &first, true) == 1);
    now = start + PERIOD - 1;
    ok(apply(keys, &second, true) == 1 && is_same(&first, &second));
    ok(apply(keys, &first, false) == 1);
    ok(apply(keys, &other, false) == 0);
    now = start + PERIOD;
    ok(apply(keys, &first, false) == 2); /* read, and replaced by one of the new key */
    ok(apply(keys, &second, true) == 1 && !is_same(&first, &second));
    ok(apply(keys, &second, false) == 1);
    now = start + 2 * PERIOD - 1;
    ok(apply(keys, &first, false) == 2);
    now = start + 2 * PERIOD;
    ok(apply(keys, &first, false) == 0);
    ok(apply(keys, &second, false) == 2);
    gm_ticket_keys_destroy(keys);
    gm_ticket_keys_destroy(NULL);
}

/* Nobody came for a while: periods have their ends all the same. */
static void test_pauses(void)
{
    gm_ticket_keys_t *keys = gm_ticket_keys_create(PERIOD, read_now, NULL);
    const uint64_t start = now;
    name_t first, second;

    ok(apply(keys, &first, true) == 1);
    now = start + PERIOD + PERIOD / 2;
    ok(apply(keys, &first, false) == 2);
    ok(apply(keys, &second, true) == 1);
    now = start + 2 * PERIOD; /* half a period after the second key was made */
    ok(apply(keys, &first, false) == 0);
    ok(apply(keys, &second, false) == 2);
    ok(apply(keys, &second, true) == 1);
    now = start + 40 * PERIOD + 7;
    ok(apply(keys, &second, false) == 0);
    ok(apply(keys, &first, true) == 1);
    now = start + 41 * PERIOD;
    ok(apply(keys, &first, false) == 2);
    gm_ticket_keys_destroy(keys);
}

/* What is sealed can be read with the key of that name, and with no other. */
static void test_seals(void)
{
    gm_ticket_keys_t *keys = gm_ticket_keys_create(PERIOD, read_now, NULL);
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(algorithm), *mac_again = EVP_MAC_CTX_new(algorithm);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    unsigned char iv[EVP_MAX_IV_LENGTH], text[16] = "sixteen letters", sealed[32], opened[32], digests[2][32];
    int length, rest;
    size_t size;
    name_t name;

    ok(gm_ticket_keys_apply(keys, name.bytes, iv, cipher, mac, true) == 1);
    ok(EVP_CipherUpdate(cipher, sealed, &length, text, sizeof(text)) == 1 &&
       EVP_CipherFinal_ex(cipher, sealed + length, &rest) == 1 && length + rest == 32);
    ok(EVP_MAC_init(mac, NULL, 0, NULL) == 1 && EVP_MAC_update(mac, sealed, 32) == 1 &&
       EVP_MAC_final(mac, digests[0], &size, 32) == 1 && size == 32);
    ok(gm_ticket_keys_apply(keys, name.bytes, iv, cipher, mac_again, false) == 1);
    ok(EVP_CipherUpdate(cipher, opened, &length, sealed, 32) == 1 &&
       EVP_CipherFinal_ex(cipher, opened + length, &rest) == 1);
    ok(length + rest == sizeof(text) && memcmp(opened, text, sizeof(text)) == 0);
    ok(EVP_MAC_init(mac_again, NULL, 0, NULL) == 1 && EVP_MAC_update(mac_again, sealed, 32) == 1 &&
       EVP_MAC_final(mac_again, digests[1], &size, 32) == 1);
    ok(memcmp(digests[0], digests[1], 32) == 0);
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_CTX_free(mac_again);
    EVP_MAC_free(algorithm);
    gm_ticket_keys_destroy(keys);
}

static void *seal_and_read(void *keys)
{
    size_t wrong = 0;

    for (int i = 0; i != 2000; ++i) {
        name_t name;
        if (i % 10 == 0)
            now += PERIOD / 100;
        wrong += apply(keys, &name, true) != 1 || apply(keys, &name, false) == -1;
    }
    return (void *)wrong;
}

static void test_threads(void)
{
    gm_ticket_keys_t *keys = gm_ticket_keys_create(PERIOD, read_now, NULL);
    pthread_t threads[4];
    size_t wrong = 0;
    void *result;

    for (size_t i = 0; i != 4; ++i)
        pthread_create(&threads[i], NULL, seal_and_read, keys);
    for (size_t i = 0; i != 4; ++i) {
        pthread_join(threads[i], &result);
        wrong += (size_t)result;
    }
    ok(wrong == 0);
    gm_ticket_keys_destroy(keys);
}

int main(void)
{
    subtest("rotation", test_rotation);
    subtest("pauses", test_pauses);
    subtest("seals", test_seals);
    subtest("threads", test_threads);
    return done_testing();
}
