// zstd as one unit, with what is used of it and no more.
//
// The idea: one of its nine ways to find matches is used, the fastest, and one of several decoders
// for each part of a frame, so the others, which are most of its time to compile, are left out.
// Nothing of it is visible outside: some hosts export a zstd of their own, and the linker would
// take one for the other.
#define DEBUGLEVEL 0
#define XXH_NAMESPACE FR_ZSTD_
#define XXH_PRIVATE_API
#define XXH_INLINE_ALL
#define ZSTD_LEGACY_SUPPORT 0
#define ZSTD_TRACE 0
#define ZSTD_DISABLE_ASM 1
#define DYNAMIC_BMI2 0
#define HUF_FORCE_DECOMPRESS_X1
#define ZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT
#define ZSTDLIB_VISIBLE __attribute__((visibility("hidden")))
#define ZSTDERRORLIB_VISIBLE __attribute__((visibility("hidden")))
#define ZSTD_EXCLUDE_DFAST_BLOCK_COMPRESSOR
#define ZSTD_EXCLUDE_GREEDY_BLOCK_COMPRESSOR
#define ZSTD_EXCLUDE_LAZY_BLOCK_COMPRESSOR
#define ZSTD_EXCLUDE_LAZY2_BLOCK_COMPRESSOR
#define ZSTD_EXCLUDE_BTLAZY2_BLOCK_COMPRESSOR
#define ZSTD_EXCLUDE_BTOPT_BLOCK_COMPRESSOR
#define ZSTD_EXCLUDE_BTULTRA_BLOCK_COMPRESSOR

#include "common/debug.c"
#include "common/entropy_common.c"
#include "common/error_private.c"
#include "common/fse_decompress.c"
#include "common/zstd_common.c"

#include "compress/fse_compress.c"
#include "compress/hist.c"
#include "compress/huf_compress.c"
#include "compress/zstd_compress.c"
#include "compress/zstd_compress_literals.c"
#include "compress/zstd_compress_sequences.c"
#include "compress/zstd_compress_superblock.c"
#include "compress/zstd_double_fast.c"
#include "compress/zstd_fast.c"
#include "compress/zstd_lazy.c"
#include "compress/zstd_ldm.c"
#include "compress/zstd_opt.c"
#include "compress/zstd_preSplit.c"

#include "decompress/huf_decompress.c"
#include "decompress/zstd_ddict.c"
#include "decompress/zstd_decompress.c"
#include "decompress/zstd_decompress_block.c"

#include "core/coding/zstd_unit.h"

struct fr_zstd {
  ZSTD_CCtx* encoder;
  ZSTD_DCtx* decoder;
};

fr_zstd* fr_zstd_new(void) {
  fr_zstd* const zstd = malloc(sizeof *zstd);
  if (zstd == NULL) return NULL;
  zstd->encoder = ZSTD_createCCtx();
  zstd->decoder = ZSTD_createDCtx();
  if (zstd->encoder != NULL && zstd->decoder != NULL) return zstd;
  fr_zstd_delete(zstd);
  return NULL;
}

void fr_zstd_delete(fr_zstd* zstd) {
  ZSTD_freeCCtx(zstd->encoder);
  ZSTD_freeDCtx(zstd->decoder);
  free(zstd);
}

size_t fr_zstd_bound(size_t bytes) { return ZSTD_compressBound(bytes); }

static size_t answer(size_t result) { return ZSTD_isError(result) ? FR_ZSTD_FAILED : result; }

size_t fr_zstd_encode(fr_zstd* zstd, const void* from, size_t bytes, void* to, size_t room,
                      int level) {
  return answer(ZSTD_compressCCtx(zstd->encoder, to, room, from, bytes, level));
}

// ZSTD_decompressDCtx would go on with a second frame behind the first.
size_t fr_zstd_decode(fr_zstd* zstd, const void* from, size_t bytes, void* to, size_t room) {
  if (ZSTD_findFrameCompressedSize(from, bytes) != bytes) return FR_ZSTD_FAILED;
  return answer(ZSTD_decompressDCtx(zstd->decoder, to, room, from, bytes));
}
