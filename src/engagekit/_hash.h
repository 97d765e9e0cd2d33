/* Keyed hashes of integers and of byte strings, for tables that outsiders fill with ids of their choice; and what the
 * tables ask of memory and of text.
 *
 * The hashes fold 64 x 64 -> 128 bit products of the input and secret words that differ in every table, so nobody who
 * does not know the secrets can choose ids that collide.  They never leave the process: codes follow the order of first
 * appearance, whatever the secrets. */
#ifndef ENGAGEKIT_HASH_H
#define ENGAGEKIT_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__GLIBC__)
#include <limits.h>
#include <malloc.h>
#endif

static inline void ek_prefetch_written(const void *p) {
#if defined(__GNUC__)
    __builtin_prefetch(p, 1);
#else
    (void)p;
#endif
}

static inline void ek_prefetch(const void *p) {
#if defined(__GNUC__)
    __builtin_prefetch(p);
#else
    (void)p;
#endif
}

/* Pages of 2 MiB, where the system gives them to those who ask, save most of the misses of the address cache, which cost
 * as much as those of the data where memory is read at random.  The advice may be ignored, and nothing depends on it. */
static inline void ek_advise(void *memory, size_t bytes) {
#if defined(MADV_HUGEPAGE)
    const uintptr_t page = 4096, first = ((uintptr_t)memory + page - 1) & ~(page - 1);
    const uintptr_t whole = ((uintptr_t)memory + bytes - first) & ~(page - 1);
    if (bytes >= (size_t)1 << 22) madvise((void *)first, whole, MADV_HUGEPAGE);
#else
    (void)memory, (void)bytes;
#endif
}

/* Let memory that is freed serve again instead of going back to the system, which clears every page that it lends anew.
 * Elsewhere than in glibc nothing happens. */
static inline void ek_keep_memory(void) {
#if defined(__GLIBC__)
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
}

/* Zeroed memory for a table, in whole lines of the cache; what calloc returned stands before it. */
static inline void *ek_table(size_t bytes) {
    const size_t line = 64;
    char *memory = calloc(bytes + line, 1), *table;
    if (memory == NULL) return NULL;
    table = (char *)(((uintptr_t)memory + line) & ~(uintptr_t)(line - 1));
    memcpy(table - sizeof memory, &memory, sizeof memory);
    ek_advise(table, bytes);
    return table;
}

static inline void ek_table_free(void *table) {
    void *memory;
    if (table == NULL) return;
    memcpy(&memory, (char *)table - sizeof memory, sizeof memory);
    free(memory);
}

/* Memory that is written before it is read, and freed by `free`; NULL: there is none. */
static inline uint8_t *ek_room(size_t bytes) {
    uint8_t *memory = malloc(bytes);
    if (memory != NULL) ek_advise(memory, bytes);
    return memory;
}

/* Move bytes to where there is more room; NULL, and nothing has changed, if there is none. */
static inline uint8_t *ek_more(uint8_t *bytes, size_t used, size_t room) {
    uint8_t *more = ek_room(room);
    if (more == NULL) return NULL;
    memcpy(more, bytes, used);
    free(bytes);
    return more;
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

static inline uint64_t ek_hash_integer(uint64_t value, const uint64_t *secrets) {
    return ek_fold(value ^ secrets[0], secrets[1] | 1u);
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

/* The first and the last 16 bytes of what is left (they overlap where that is less than 32) in two products that do
 * not wait for each other: ids of 8 to 32 bytes take one path, without a branch on their length to be guessed wrong. */
static inline uint64_t ek_hash_bytes(const uint8_t *p, int64_t size, const uint64_t *secrets) {
    uint64_t hash = secrets[0] ^ (uint64_t)size, head, tail;
    int64_t left = size;
    if (left >= 8) {
        for (; left > 32; left -= 16, p += 16) hash = ek_fold(ek_word(p) ^ secrets[1], ek_word(p + 8) ^ hash);
        const uint8_t *second = p + (left >= 16 ? 8 : left - 8), *third = p + (left >= 16 ? left - 16 : 0);
        head = ek_fold(ek_word(p) ^ secrets[1], ek_word(second) ^ hash);
        tail = ek_fold(ek_word(third) ^ secrets[2], ek_word(p + left - 8) ^ secrets[3]);
    } else {
        if (left >= 4) {
            head = ek_half_word(p) << 32 | ek_half_word(p + left - 4);
        } else if (left > 0) {
            head = ((uint64_t)p[0] << 16) | ((uint64_t)p[left >> 1] << 8) | p[left - 1];
        } else {
            head = 0;
        }
        head = ek_fold(head ^ secrets[1], hash);
        tail = 0;
    }
    return ek_fold(head ^ tail, secrets[0] ^ 0x9e3779b97f4a7c15u);
}

/* Whether two texts of one size are the same; ids are too short for the call of a function to pay. */
static inline int ek_same(const uint8_t *a, const uint8_t *b, int64_t size) {
    if (size > 64) return memcmp(a, b, (size_t)size) == 0;
    if (size >= 8) {
        uint64_t differ = ek_word(a + size - 8) ^ ek_word(b + size - 8);
        for (int64_t i = 0; i < size - 8; i += 8) differ |= ek_word(a + i) ^ ek_word(b + i);
        return differ == 0;
    }
    if (size >= 4)
        return ((ek_half_word(a) ^ ek_half_word(b)) | (ek_half_word(a + size - 4) ^ ek_half_word(b + size - 4))) == 0;
    for (int64_t i = 0; i < size; i++)
        if (a[i] != b[i]) return 0;
    return 1;
}

/* The first of four tags that is the one looked for, 4 if none; without a branch, for which one cannot be foretold. */
static inline int ek_first_of_four(const uint32_t *tags, uint32_t tag) {
    int first = tags[3] == tag ? 3 : 4;
    first = tags[2] == tag ? 2 : first;
    first = tags[1] == tag ? 1 : first;
    return tags[0] == tag ? 0 : first;
}

/* Whether all bytes are ASCII, as nearly all ids are. */
static inline int ek_ascii(const uint8_t *p, int64_t size) {
    uint8_t seen = 0;
    for (int64_t i = 0; i < size; i++) seen |= p[i];
    return seen < 0x80;
}

/* Whether bytes are UTF-8 as Unicode defines it (table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF. */
static inline int ek_utf8(const uint8_t *p, int64_t size) {
    int64_t i = 0;
    while (i < size) {
        uint8_t lead = p[i++], low = 0x80, high = 0xBF;
        int more;
        if (lead < 0x80) continue;
        if (lead >= 0xC2 && lead <= 0xDF) more = 1;
        else if (lead >= 0xE0 && lead <= 0xEF) more = 2;
        else if (lead >= 0xF0 && lead <= 0xF4) more = 3;
        else return 0;
        if (lead == 0xE0) low = 0xA0;
        else if (lead == 0xED) high = 0x9F;
        else if (lead == 0xF0) low = 0x90;
        else if (lead == 0xF4) high = 0x8F;
        for (; more > 0; more--, i++, low = 0x80, high = 0xBF)
            if (i >= size || p[i] < low || p[i] > high) return 0;
    }
    return 1;
}

#endif
