/* Memory of large results, given back to the system in such a way that the next one may have it again.
 *
 * What a page costs, cleared by the system and found by its host, is more than what it costs to fill it.  So a block that
 * is no longer used stays mapped, and the system is told that it may take its pages whenever anybody needs some
 * (MADV_FREE): until it does, the block can be filled again for nothing.  Held by Python's lock; what such a block
 * contains is undefined.  A process that forks shares nothing but copies. */
#ifndef ENGAGEKIT_ROOM_H
#define ENGAGEKIT_ROOM_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif

#define EK_ROOM_PAGE ((size_t)1 << 21) /* what a block is a multiple of: a huge page */
#define EK_ROOM_SPARE 16               /* blocks that stay mapped, at most */
#define EK_ROOM_MOST ((size_t)1 << 29) /* and their bytes */

#if defined(MADV_FREE) && defined(MAP_ANONYMOUS)

typedef struct {
    char *start;
    size_t size;
} ek_block;

static ek_block ek_spare[EK_ROOM_SPARE]; /* the oldest first */
static size_t ek_spares, ek_spare_size;

static ek_block ek_spare_out(size_t place) {
    ek_block block = ek_spare[place];
    ek_spare_size -= block.size;
    ek_spares--;
    for (; place < ek_spares; place++) ek_spare[place] = ek_spare[place + 1];
    return block;
}

static void *ek_map(size_t size) {
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* A block of at least so many bytes, up to an eighth more, which `size` then tells; NULL: there is no memory. */
static void *ek_lend(size_t *size) {
    size_t whole = (*size + EK_ROOM_PAGE - 1) & ~(EK_ROOM_PAGE - 1), place, before;
    char *start, *found;
    if (whole < *size || whole + EK_ROOM_PAGE < whole) return NULL;
    *size = whole;
    for (place = ek_spares; place-- > 0;)
        if (ek_spare[place].size >= whole && ek_spare[place].size - whole <= whole / 8) {
            ek_block block = ek_spare_out(place);
            *size = block.size;
            return block.start;
        }
    found = ek_map(whole + EK_ROOM_PAGE);
    while (found == MAP_FAILED && ek_spares) { /* a limit on addresses counts the spare ones too */
        ek_block oldest = ek_spare_out(0);
        munmap(oldest.start, oldest.size);
        found = ek_map(whole + EK_ROOM_PAGE);
    }
    if (found == MAP_FAILED) return NULL;
    start = (char *)(((uintptr_t)found + EK_ROOM_PAGE - 1) & ~(uintptr_t)(EK_ROOM_PAGE - 1));
    before = (size_t)(start - found);
    if (before) munmap(found, before);
    if (before < EK_ROOM_PAGE) munmap(start + whole, EK_ROOM_PAGE - before);
#if defined(MADV_HUGEPAGE)
    madvise(start, whole, MADV_HUGEPAGE);
#endif
    return start;
}

static void ek_give_back(void *start, size_t size) {
    if (start == NULL) return;
    if (size > EK_ROOM_MOST || madvise(start, size, MADV_FREE) != 0) {
        munmap(start, size);
        return;
    }
    while (ek_spares == EK_ROOM_SPARE || ek_spare_size + size > EK_ROOM_MOST) {
        ek_block oldest = ek_spare_out(0);
        munmap(oldest.start, oldest.size);
    }
    ek_spare[ek_spares].start = start;
    ek_spare[ek_spares].size = size;
    ek_spares++;
    ek_spare_size += size;
}

#else

static void *ek_lend(size_t *size) { return malloc(*size); }
static void ek_give_back(void *start, size_t size) {
    (void)size;
    free(start);
}

#endif
#endif
