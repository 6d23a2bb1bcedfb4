/*
 * Networks in CIDR notation. All addresses are compared as IPv6 with IPv4 mapped into it (RFC 4291, 2.5.5.2),
 * so that a client is the same on a listener for both families and on one for IPv4. Pure; parsed at load,
 * matched once for each connection.
 */
#include "base/cidr.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#define MAPPED_BITS 96
#define MAX_TEXT 64

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_ipv4(const uint8_t bytes[16])
{
    return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

/* @return the bits that the address was written with, 32 or 128; 0 = not an address */
static unsigned parse_address(const char *text, uint8_t bytes[16])
{
    memcpy(bytes, mapped, sizeof(mapped));
    if (inet_pton(AF_INET, text, bytes + sizeof(mapped)) == 1)
        return 32;
    return inet_pton(AF_INET6, text, bytes) == 1 ? 128 : 0;
}

/* @return -1 for what is no plain number up to `max` */
static int parse_length(const char *text, unsigned max)
{
    unsigned value = 0;

    if (*text == '\0' || (*text == '0' && text[1] != '\0'))
        return -1;
    for (; *text != '\0'; ++text) {
        if (*text < '0' || *text > '9' || (value = value * 10 + (unsigned)(*text - '0')) > max)
            return -1;
    }
    return (int)value;
}

/* Clears what is beyond the length. @return whether it was clear */
static bool mask(uint8_t bytes[16], unsigned bits)
{
    bool was_clear = true;

    for (unsigned i = 0; i != 16; ++i) {
        uint8_t keep = bits >= 8 * (i + 1) ? 0xff
                       : bits <= 8 * i     ? 0
                                           : (uint8_t)(0xff << (8 * (i + 1) - bits));
        was_clear = was_clear && (bytes[i] & ~keep) == 0;
        bytes[i] &= keep;
    }
    return was_clear;
}

static int complain_bits(const char *text, const gm_cidr_t *cidr, unsigned bits, unsigned width,
                         gm_error_t *err)
{
    char shown[INET6_ADDRSTRLEN];

    inet_ntop(width == 32 ? AF_INET : AF_INET6, width == 32 ? cidr->bytes + 12 : cidr->bytes, shown,
              sizeof(shown));
    return gm_error_set(err, NULL, "\"%s\" has bits set beyond its first %u; did you mean \"%s/%u\"?", text,
                        bits, shown, bits);
}

int gm_cidr_parse(const char *text, gm_cidr_t *cidr, gm_error_t *err)
{
    const char *slash = strchr(text, '/');
    char address[MAX_TEXT] = "";
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    unsigned width = 0;
    int bits;

    if (length < sizeof(address)) {
        memcpy(address, text, length);
        width = parse_address(address, cidr->bytes);
    }
    if (width == 0 && length > 2 && length < sizeof(address) && address[0] == '[' &&
        address[length - 1] == ']') {
        address[length - 1] = '\0';
        if (parse_address(address + 1, cidr->bytes) != 0)
            return gm_error_set(err, NULL, "\"%.100s\" is not an address; did you mean \"%s%.5s\"?", text,
                                address + 1, slash != NULL ? slash : "");
    }
    if (width == 0)
        return gm_error_set(err, NULL,
                            "\"%.200s\" is neither an address nor a network; write 10.1.2.3, 10.0.0.0/8 or "
                            "fd00::/8",
                            text);
    bits = slash != NULL ? parse_length(slash + 1, width) : (int)width;
    if (bits < 0)
        return gm_error_set(err, NULL, "\"%.100s\": a length from 0 to %u comes after the \"/\"", text,
                            width);
    cidr->bits = (uint8_t)(width == 32 ? MAPPED_BITS + bits : bits);
    return mask(cidr->bytes, cidr->bits) ? 0 : complain_bits(text, cidr, (unsigned)bits, width, err);
}

bool gm_cidr_matches(const gm_cidr_t *self, const struct sockaddr *address)
{
    uint8_t bytes[16];

    if (address->sa_family == AF_INET) {
        memcpy(bytes, mapped, sizeof(mapped));
        memcpy(bytes + sizeof(mapped), &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    } else {
        return false;
    }
    if (self->bits < MAPPED_BITS && is_ipv4(bytes))
        return false;
    mask(bytes, self->bits);
    return memcmp(bytes, self->bytes, sizeof(bytes)) == 0;
}

bool gm_cidr_any_matches(const gm_cidr_t *list, size_t count, const struct sockaddr *address)
{
    for (size_t i = 0; i != count; ++i)
        if (gm_cidr_matches(&list[i], address))
            return true;
    return false;
}
