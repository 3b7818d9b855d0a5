// The nodes of a BLAKE3 tree, from the official implementation.
//
// The idea: its public calls give the hash of whole inputs only. The values inside the tree come
// from functions that are private to blake3.c, so it is compiled as a part of this file.
#include "core/hash/blake3_tree.h"

#include <blake3.c>

void fr_blake3_subtree(const uint8_t* input, size_t bytes, uint64_t chunk, uint8_t out[32]) {
  if (bytes <= BLAKE3_CHUNK_LEN) {
    blake3_chunk_state state;
    chunk_state_init(&state, IV, 0);
    state.chunk_counter = chunk;
    chunk_state_update(&state, input, bytes);
    const output_t output = chunk_state_output(&state);
    output_chaining_value(&output, out);
    return;
  }
  uint8_t children[2 * BLAKE3_OUT_LEN];
  compress_subtree_to_parent_node(input, bytes, IV, chunk, 0, children);
  fr_blake3_parent(children, out);
}

void fr_blake3_parent(const uint8_t children[64], uint8_t out[32]) {
  const output_t output = parent_output(children, IV, 0);
  output_chaining_value(&output, out);
}

void fr_blake3_root(const uint8_t children[64], uint8_t out[32]) {
  const output_t output = parent_output(children, IV, 0);
  output_root_bytes(&output, 0, out, BLAKE3_OUT_LEN);
}

size_t fr_blake3_detect(void) { return blake3_simd_degree(); }
