// Reading trees, for JavaScript: each call is carried out on a thread of libuv's pool, and its
// promise is given the packed answer of core/hash/tree.h.
#pragma once

#include <napi.h>

namespace fr {

// treeList(directory, identity, names | undefined, xattrs, acls) -> Promise<Buffer>
//   first a byte: 1: records follow, 0: there are many, and their names follow, to be asked for
//   with `names`, some at a time
Napi::Value tree_list_js(const Napi::CallbackInfo& info);

// treeRead(asked, algorithm, blockBytes, into: a descriptor, or undefined) -> Promise<Buffer>
Napi::Value tree_read_js(const Napi::CallbackInfo& info);

}  // namespace fr
