/*
 * SHA-1, base64 and random bytes are OpenSSL's; neither side has secrets here, it is only to keep servers
 * that know nothing of WebSocket from agreeing by accident. Called by front/h2. Any thread.
 */
#include "base/websocket.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#define NONCE_BYTES 16
#define SHA1_BYTES 20
#define ACCEPT_LENGTH 28
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

void gm_websocket_make_key(char key[GM_WEBSOCKET_KEY_LENGTH + 1])
{
    unsigned char nonce[NONCE_BYTES] = {0};

    (void)!RAND_bytes(nonce, sizeof(nonce)); /* nothing is protected by it */
    EVP_EncodeBlock((unsigned char *)key, nonce, sizeof(nonce));
}

bool gm_websocket_is_accept(const char *key, const char *accept, size_t length)
{
    unsigned char digest[EVP_MAX_MD_SIZE], text[ACCEPT_LENGTH + 1];
    char joined[GM_WEBSOCKET_KEY_LENGTH + sizeof(GUID)];

    memcpy(joined, key, GM_WEBSOCKET_KEY_LENGTH);
    memcpy(joined + GM_WEBSOCKET_KEY_LENGTH, GUID, sizeof(GUID));
    /* no input can make this fail, only a lack of memory or an OpenSSL without SHA-1 */
    if (EVP_Digest(joined, sizeof(joined) - 1, digest, NULL, EVP_sha1(), NULL) != 1)
        return false;
    EVP_EncodeBlock(text, digest, SHA1_BYTES);
    return length == ACCEPT_LENGTH && memcmp(accept, text, ACCEPT_LENGTH) == 0;
}
