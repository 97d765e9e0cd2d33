/* Keyed hashes of integers and of byte strings, for tables that outsiders fill with ids of their choice.
 *
 * Both fold a 64 x 64 -> 128 bit product of the input and secret words that differ in every table, so nobody who does
 * not know the secrets can choose ids that collide.  Hashes never leave the process: codes follow the order of first
 * appearance, whatever the secrets. */
#ifndef ENGAGEKIT_HASH_H
#define ENGAGEKIT_HASH_H

#include <stdint.h>
#include <string.h>

static inline void ek_prefetch(const void *p) {
#if defined(__GNUC__)
    __builtin_prefetch(p);
#else
    (void)p;
#endif
}

static inline uint64_t ek_fold(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, mid1 = a1 * b0, mid2 = a0 * b1, high = a1 * b1;
    uint64_t carry = ((low >> 32) + (uint32_t)mid1 + (uint32_t)mid2) >> 32;
    return (a * b) ^ (high + (mid1 >> 32) + (mid2 >> 32) + carry);
#endif
}

static inline uint64_t ek_hash_integer(uint64_t value, uint64_t secret0, uint64_t secret1) {
    return ek_fold(value ^ secret0, secret1 | 1u);
}

static inline uint64_t ek_word(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static inline uint64_t ek_half_word(const uint8_t *p) {
    uint32_t word;
    memcpy(&word, p, 4);
    return word;
}

static inline uint64_t ek_hash_bytes(const uint8_t *p, int64_t size, uint64_t secret0, uint64_t secret1) {
    uint64_t hash = secret0 ^ (uint64_t)size, head, tail;
    int64_t left = size;
    for (; left > 16; left -= 16, p += 16) hash = ek_fold(ek_word(p) ^ secret1, ek_word(p + 8) ^ hash);
    if (left >= 8) {
        head = ek_word(p);
        tail = ek_word(p + left - 8);
    } else if (left >= 4) {
        head = ek_half_word(p);
        tail = ek_half_word(p + left - 4);
    } else if (left > 0) {
        head = ((uint64_t)p[0] << 16) | ((uint64_t)p[left >> 1] << 8) | p[left - 1];
        tail = 0;
    } else {
        head = tail = 0;
    }
    return ek_fold(ek_fold(head ^ secret1, tail ^ hash), secret0 ^ 0x9e3779b97f4a7c15u);
}

#endif
