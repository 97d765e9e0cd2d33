/* Rows taken apart by the contact that they are of: a row's part is the upper bits of its id, mixed.
 *
 * To mix is to multiply by an odd number, modulo the power of two that all ids fit into.  That loses nothing: the part
 * and the lower bits, the row's key, are together as good as the id, so that keys take 4 bytes where ids have 40 bits and
 * there are 256 parts.  The factor is drawn anew every time: nobody can choose ids that all come into one part.
 *
 * Rows are written straight to their part's front: the fronts of some hundred parts are near to the processor.  (To
 * gather whole lines and write these past the caches cost nearly twice as much where it was measured.) */
#ifndef ENGAGEKIT_APART_H
#define ENGAGEKIT_APART_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "_hash.h"

#if defined(__GNUC__)
#define EK_INLINE static inline __attribute__((always_inline))
#else
#define EK_INLINE static inline
#endif

/* What is kept of a row beside time and type is its tag, of 8 bytes: its key and, in the upper half, its number; or, where
 * keys are `wide`, the key alone, and the number elsewhere. */
typedef struct {
    uint64_t low, factor, mask;
    int shift;                             /* what is above these bits is the part */
    int wide, type_bytes;
    uint64_t *tags;
    int64_t *times;
    uint8_t *types;
    uint32_t *rows;                        /* only beside wide keys, and where numbers are asked for */
} EkApart;

EK_INLINE uint64_t ek_mixed(const EkApart *a, uint64_t id) { return ((id - a->low) * a->factor) & a->mask; }

static inline int ek_bits_set(uint64_t word) {
#if defined(__GNUC__)
    return __builtin_popcountll(word);
#else
    int count = 0;
    for (; word; word &= word - 1) count++;
    return count;
#endif
}

/* Count the rows of every part. */
static void ek_count_apart(const EkApart *apart, const int64_t *ids, int64_t n, uint32_t *counts) {
    const EkApart a = *apart;
    int64_t i;
    for (i = 0; i < n; i++) counts[ek_mixed(&a, (uint64_t)ids[i]) >> a.shift]++;
}

EK_INLINE void ek_spread_as(const EkApart *apart, uint32_t *places, const int64_t *ids, const int64_t *times,
                            const void *types, uint32_t row, int64_t n, const int wide, const int type_bytes) {
    const EkApart a = *apart;
    const uint64_t low_bits = ((uint64_t)1 << a.shift) - 1;
    int64_t i;
    for (i = 0; i < n; i++) {
        const uint64_t mixed = ek_mixed(&a, (uint64_t)ids[i]), part = mixed >> a.shift, key = mixed & low_bits;
        const size_t place = places[part]++;
        a.times[place] = times[i];
        a.tags[place] = wide ? key : key | (uint64_t)(row + (uint32_t)i) << 32;
        if (wide) a.rows[place] = row + (uint32_t)i;
        if (type_bytes == 1) a.types[place] = ((const uint8_t *)types)[i];
        else if (type_bytes == 2) ((uint16_t *)a.types)[place] = ((const uint16_t *)types)[i];
        else ((uint32_t *)a.types)[place] = ((const uint32_t *)types)[i];
    }
}

/* Take rows apart; `places` is where each part's next row goes. */
static void ek_spread(const EkApart *a, uint32_t *places, const int64_t *ids, const int64_t *times, const void *types,
                      uint32_t row, int64_t n) {
    if (a->wide && a->type_bytes == 1) ek_spread_as(a, places, ids, times, types, row, n, 1, 1);
    else if (a->wide && a->type_bytes == 2) ek_spread_as(a, places, ids, times, types, row, n, 1, 2);
    else if (a->wide) ek_spread_as(a, places, ids, times, types, row, n, 1, 4);
    else if (a->type_bytes == 1) ek_spread_as(a, places, ids, times, types, row, n, 0, 1);
    else if (a->type_bytes == 2) ek_spread_as(a, places, ids, times, types, row, n, 0, 2);
    else ek_spread_as(a, places, ids, times, types, row, n, 0, 4);
}

/* A part's contacts by key: a slot has the key and, in the upper half or the next word, the number, counted from 1.  A
 * part whose keys are dense has an array of numbers instead. */
typedef struct {
    uint64_t *slots;
    uint32_t *direct;
    uint64_t mask, secrets[2];
    int shift;
} EkKeys;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { EK_LOW_HALF = 1 };
#else
enum { EK_LOW_HALF = 0 };
#endif

EK_INLINE uint64_t ek_key_of(const EkApart *a, int64_t place) {
    return a->wide ? a->tags[place] : (uint32_t)a->tags[place];
}

EK_INLINE uint32_t ek_row_of(const EkApart *a, int64_t place) {
    return a->wide ? a->rows[place] : (uint32_t)(a->tags[place] >> 32);
}

/* Put a contact whose key is new into the table. */
static void ek_put_key(const EkKeys *k, int wide, uint64_t key, uint32_t number) {
    uint64_t at;
    if (k->direct) {
        k->direct[key] = number;
        return;
    }
    at = ek_hash_integer(key, k->secrets) >> k->shift;
    if (wide) {
        while (k->slots[2 * at + 1]) at = (at + 1) & k->mask;
        k->slots[2 * at] = key;
        k->slots[2 * at + 1] = number;
    } else {
        while (k->slots[at]) at = (at + 1) & k->mask;
        k->slots[at] = key | (uint64_t)number << 32;
    }
}

EK_INLINE int64_t ek_known_as(const EkApart *a, const EkKeys *keys, uint32_t *counts, int64_t first, int64_t last,
                              const int wide, const int direct) {
    const EkKeys k = *keys;
    uint64_t *const tags = a->tags;
    uint32_t *const halves = (uint32_t *)a->tags;
    int64_t i;
    for (i = first; i < last; i++) {
        uint32_t *const low = halves + 2 * i + EK_LOW_HALF;
        const uint64_t key = wide ? tags[i] : *low;
        uint64_t number;
        if (direct) {
            number = k.direct[key];
        } else {
            uint64_t at = ek_hash_integer(key, k.secrets) >> k.shift;
            if (wide) {
                while (k.slots[2 * at] != key && k.slots[2 * at + 1]) at = (at + 1) & k.mask;
                number = k.slots[2 * at + 1];
            } else {
                uint64_t slot = k.slots[at];
                while ((uint32_t)slot != (uint32_t)key && slot) slot = k.slots[at = (at + 1) & k.mask];
                number = slot >> 32;
            }
        }
        if (!number) break;
        counts[number - 1]++;
        if (wide) tags[i] = number - 1;
        else *low = (uint32_t)(number - 1);
    }
    return i;
}

/* Put contacts' numbers in place of keys, and count them; return the first place whose key is not in the table. */
static int64_t ek_known(const EkApart *a, const EkKeys *k, uint32_t *counts, int64_t first, int64_t last) {
    if (a->wide) return ek_known_as(a, k, counts, first, last, 1, 0);
    if (k->direct) return ek_known_as(a, k, counts, first, last, 0, 1);
    return ek_known_as(a, k, counts, first, last, 0, 0);
}

EK_INLINE void ek_place_as(const EkApart *a, uint32_t *places, int64_t first, int64_t n, int64_t *times,
                           uint8_t *types, uint32_t *rows, const int type_bytes, const int numbered) {
    const int64_t *from = a->times + first;
    const uint64_t *tags = a->tags + first;
    const uint8_t *from_types = a->types + first * type_bytes;
    int64_t i;
    for (i = 0; i < n; i++) {
        const uint32_t place = places[(uint32_t)tags[i]]++;
        times[place] = from[i];
        if (type_bytes == 1) types[place] = from_types[i];
        else if (type_bytes == 2) ((uint16_t *)types)[place] = ((const uint16_t *)from_types)[i];
        else ((uint32_t *)types)[place] = ((const uint32_t *)from_types)[i];
        if (numbered) rows[place] = ek_row_of(a, first + i);
    }
}

/* Write the rows of a part to where `places`, by contact's number, says, which moves on. */
static void ek_place(const EkApart *a, uint32_t *places, int64_t first, int64_t n, int64_t *times, uint8_t *types,
                     uint32_t *rows) {
    if (rows && a->type_bytes == 1) ek_place_as(a, places, first, n, times, types, rows, 1, 1);
    else if (rows && a->type_bytes == 2) ek_place_as(a, places, first, n, times, types, rows, 2, 1);
    else if (rows) ek_place_as(a, places, first, n, times, types, rows, 4, 1);
    else if (a->type_bytes == 1) ek_place_as(a, places, first, n, times, types, rows, 1, 0);
    else if (a->type_bytes == 2) ek_place_as(a, places, first, n, times, types, rows, 2, 0);
    else ek_place_as(a, places, first, n, times, types, rows, 4, 0);
}

#endif
