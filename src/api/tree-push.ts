/** A push of a directory, or of several paths: a tree, which goes in many transfers. */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { openTreeFiles } from '../agent/engines.js'
import { isThere } from '../agent/tree-there.js'
import { utf8 } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { sumsName } from '../base/tree-sums.js'
import { randomId } from '../net/crypto.js'
import type { DataEngine, SourceFile } from '../ports.js'
import type { PushAudience } from '../session/coordinator/attempt.js'
import {
  type ContentAudience,
  type OpenTree,
  type TreeContent,
  TreePush,
} from '../session/trees/tree-push.js'
import type { TreeSource } from '../session/trees/tree-source.js'
import { descriptorPath } from '../store/spool.js'
import { TreeScan } from '../store/walk/tree-scan.js'
import { pushCoded } from './coded-push.js'
import { isCoded } from './coding-options.js'
import { type ContentParts, openContent } from './contents.js'
import type { KnownSource } from './known-source.js'
import type { CheckedPush } from './options.js'

import type { PushResult } from './types.js'

export interface TreePushParts extends ContentParts {
  readonly open: OpenTree
}

export function pushTree(parts: TreePushParts): Promise<PushResult> {
  const { checked, transfer, audience, open, signal } = parts
  const { name, nodes, strategy, timeoutMs, dryRun: isDry } = checked
  audience.running(() => {
    const text = 'nodes cannot be added to a push of a tree'
    return Promise.reject(new FrError('ERR_FR_UNSUPPORTED', text))
  })
  const { plan, progress, node } = audience
  const push = pushContent.bind(null, parts)
  const spec = { transfer, name, nodes, strategy, timeoutMs, isDry, signal }
  const { dialler } = parts.specOf({ transfer, contentId: randomId(), known: undefined })
  const isThereAlready = (over: AbortSignal) => isThere(name, nodes, dialler, over)
  const ports = { push, isThere: isThereAlready, plan, progress, node }
  return new TreePush(spec, ports).run(open)
}

/** Bundles are new each time; a large file may be known from an earlier push. */
async function pushContent(
  parts: TreePushParts,
  { path, name, part, nodes, timeoutMs }: TreeContent,
  { plan, progress, applied }: ContentAudience,
  signal: AbortSignal,
): Promise<PushResult> {
  const { checked, specOf, engine, pool, rates, pushing } = parts
  const { storage } = engine
  // The name of a file of the tree may be bytes that no string can hold; it is no link.
  const opened = part.isBundle ? undefined : await openPath(path)
  const file = opened === undefined ? String(path) : descriptorPath(opened.fd)
  let source: SourceFile | undefined
  let known: KnownSource | undefined
  try {
    if (part.isBundle) source = await storage.openSource(file)
    else ({ source, known } = await openContent(parts, file))
    const transfer = randomId()
    const contentId = known?.contentId ?? randomId()
    const spec = specOf({ transfer, contentId, known: known?.known })
    const audience: PushAudience = { plan, progress, node: () => {}, running: () => {} }
    const own = { ...spec, name, nodes, tree: part, timeoutMs }
    const asItIs = { source, known }
    const wish = checked.coding
    if (!isCoded(wish)) return await pushing(asItIs, own, audience, applied, signal)
    const heard = known?.hooks
    return await pushCoded({
      ...{ wish, spec: own, source, engine, pool, rates, audience, signal },
      pushing: (content, spec, told) => {
        const one = content === source ? asItIs : { source: content, known: undefined }
        return pushing(one, spec, told, applied, signal)
      },
      summed: ({ fileDigest, digests }) => heard?.summed?.(fileDigest, digests),
    })
  } finally {
    await known?.close()
    if (source !== undefined) storage.closeFile(source.file)
    await opened?.close()
  }
}

function openPath(path: string | Uint8Array): Promise<FileHandle> {
  const bytes = typeof path === 'string' ? path : Buffer.from(path)
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  return open(bytes, flags).catch((cause: Error) => {
    throw new FrError('ERR_FR_SOURCE', cause.message, { cause })
  })
}

export interface TreeAbout {
  readonly checked: CheckedPush
  readonly transfer: string
  readonly engine: DataEngine
  /** Path of the file of SHA-256 that goes along; null: none does. */
  readonly sums: string | null
  readonly signal: AbortSignal
  readonly warn: (text: string) => void
}

/** The tree at these paths, which is read while it is pushed. */
export async function openTree(
  paths: readonly string[],
  { checked, transfer: tree, engine, sums, signal, warn }: TreeAbout,
): Promise<TreeSource> {
  const { algorithm, strict, verify: rereads } = checked
  const { include, exclude, sha256: ___, given: _, foreign: __, ...options } = checked.tree
  const isOne = paths.length === 1
  const named = paths.map((path) => ({ path, name: isOne ? new Uint8Array() : lastOf(path) }))
  const extra = sums === null ? [] : [{ path: sums, name: utf8(sumsName) }]
  const [beside] = isOne ? extra : []
  if (!isOne) named.push(...extra)
  const files = await openTreeFiles(engine.kind)
  const how = {
    include,
    exclude,
    algorithm,
    rereads,
    options: { ...options, strict, isDry: checked.dryRun },
  }
  return TreeScan.open({
    ...how,
    ...(beside && { beside }),
    paths: named,
    tree,
    files,
    signal,
    warn,
  })
}

function lastOf(path: string): Uint8Array {
  return new TextEncoder().encode(basename(resolve(path)))
}
