// What is used of zstd. In C, because zstd is.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What a call of this kind answers where it did not work.
#define FR_ZSTD_FAILED SIZE_MAX

// Memory for one call after another, of one thread. NULL: there is none.
typedef struct fr_zstd fr_zstd;
fr_zstd* fr_zstd_new(void);
void fr_zstd_delete(fr_zstd* zstd);

// The most that so many bytes become.
size_t fr_zstd_bound(size_t bytes);

// One frame without checksum and without size where that is wasted; bytes written.
size_t fr_zstd_encode(fr_zstd* zstd, const void* from, size_t bytes, void* to, size_t room,
                      int level);

// Of exactly one frame; never writes more than `room`; bytes written.
size_t fr_zstd_decode(fr_zstd* zstd, const void* from, size_t bytes, void* to, size_t room);

#ifdef __cplusplus
}
#endif
