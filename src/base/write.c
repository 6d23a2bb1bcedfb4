/*
 * Numbers as text, without a look at formats and locales, two digits at a time. Any thread.
 */
#include "base/write.h"

/* clang-format off */
#define ROW(tens) tens "0" tens "1" tens "2" tens "3" tens "4" tens "5" tens "6" tens "7" tens "8" tens "9"
#define HEX_ROW(high) ROW(high) high "a" high "b" high "c" high "d" high "e" high "f"
static const char decimals[] = ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6") ROW("7") ROW("8") ROW("9");
static const char hexes[] = HEX_ROW("0") HEX_ROW("1") HEX_ROW("2") HEX_ROW("3") HEX_ROW("4") HEX_ROW("5") HEX_ROW("6")
    HEX_ROW("7") HEX_ROW("8") HEX_ROW("9") HEX_ROW("a") HEX_ROW("b") HEX_ROW("c") HEX_ROW("d") HEX_ROW("e") HEX_ROW("f");
/* clang-format on */

char *gm_write_number(char *at, uint64_t value)
{
    char digits[20], *first = digits + sizeof(digits);

    if (value < 10) {
        *at = (char)('0' + value);
        return at + 1;
    }
    for (; value >= 100; value /= 100)
        memcpy(first -= 2, decimals + 2 * (value % 100), 2);
    if (value >= 10)
        memcpy(first -= 2, decimals + 2 * value, 2);
    else
        *--first = (char)('0' + value);
    return gm_write(at, first, (size_t)(digits + sizeof(digits) - first));
}

char *gm_write_six_digits(char *at, uint32_t value)
{
    memcpy(at, decimals + 2 * (value / 10000), 2);
    memcpy(at + 2, decimals + 2 * (value / 100 % 100), 2);
    memcpy(at + 4, decimals + 2 * (value % 100), 2);
    return at + 6;
}

char *gm_write_hex(char *at, const uint8_t *bytes, size_t length)
{
    for (; length >= 4; length -= 4, bytes += 4, at += 8) { /* ids are of 8 and 16 bytes */
        memcpy(at, hexes + 2 * (size_t)bytes[0], 2);
        memcpy(at + 2, hexes + 2 * (size_t)bytes[1], 2);
        memcpy(at + 4, hexes + 2 * (size_t)bytes[2], 2);
        memcpy(at + 6, hexes + 2 * (size_t)bytes[3], 2);
    }
    for (; length != 0; --length, ++bytes, at += 2)
        memcpy(at, hexes + 2 * (size_t)bytes[0], 2);
    return at;
}
