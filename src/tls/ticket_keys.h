/* ticket_keys: the keys that session tickets are sealed with, and their rotation */
#ifndef GM_TLS_TICKET_KEYS_H
#define GM_TLS_TICKET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/error.h"
#include "base/memory.h"

typedef struct gm_ticket_keys gm_ticket_keys_t;

/**
 * A first key. Every period begins a new one; tickets of the one before are still read, so a key is in use
 * for two periods and never stored. Nobody has to call: who seals or reads a ticket looks at the clock.
 * @param period_ms  above 0
 * @param now_ms     a clock that never goes back; called under the lock
 * @return owned by the caller; NULL with *err filled if there is no randomness
 */
GM_MUST_USE gm_ticket_keys_t *gm_ticket_keys_create(uint64_t period_ms, uint64_t (*now_ms)(void),
                                                    gm_error_t *err);
void gm_ticket_keys_destroy(gm_ticket_keys_t *self);

/**
 * Prepares the sealing or reading of one ticket: the body of OpenSSL's callback for ticket keys (EVP form),
 * with the same parameters and results.
 * @param name  16 bytes that tell which key
 * @return 1 go on; 2 go on, and give the client a new ticket; 0 not a key of ours; -1 failed. Any thread.
 */
int gm_ticket_keys_apply(gm_ticket_keys_t *self, unsigned char *name, unsigned char *iv,
                         EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool seal);

#endif
