// The nodes of a BLAKE3 tree. In C, because the official implementation is.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The value of the subtree over 1 byte or more whose first chunk (1 KiB) has this number in the
// file. The bytes are 2^n chunks, and the number is a multiple of 2^n; or they end the file.
void fr_blake3_subtree(const uint8_t* input, size_t bytes, uint64_t chunk, uint8_t out[32]);

// The value of a node from those of its two children, laid end to end. `out` may be `children`.
void fr_blake3_parent(const uint8_t children[64], uint8_t out[32]);

// The same of the node at the top: the hash of the file.
void fr_blake3_root(const uint8_t children[64], uint8_t out[32]);

// Finds out which instructions the processor has, and keeps it without a lock: must be called
// before a second thread hashes. How many chunks are hashed at once.
size_t fr_blake3_detect(void);

#ifdef __cplusplus
}
#endif
