/**
 * A copy of a tree: the node is the origin of a push of what it holds of the tree (session/trees).
 *
 * The idea: the tree is walked as any tree that is sent, through eyes that see only what the record
 * of the tree knows, or a record of a file that came by itself, and that compare each file that is
 * read with its digest. So what somebody else has put there stays, what somebody has changed is
 * named and left out, and nothing goes out that was not verified.
 */
import { realpath } from 'node:fs/promises'
import { bytesOfHex } from '../base/bytes.js'
import type { DigestAlgorithm } from '../base/digests.js'
import { FrError } from '../base/errors.js'
import { isHidden } from '../base/names.js'
import type { CopyWish } from '../control/messages/copying.js'
import type { Applied, TreePart } from '../control/messages/types.js'
import type { PushResult } from '../control/view/push-view.js'
import { randomId } from '../net/crypto.js'
import type { Dialler } from '../net/dial.js'
import type { FileRead, Looked, TreeFiles } from '../ports/tree-files.js'
import type { DataEngine, SourceFile } from '../ports.js'
import { decodeName } from '../protocol/manifest.js'
import type { PushAudience } from '../session/coordinator/attempt.js'
import type { KnownContent } from '../session/coordinator/push-spec.js'
import { type ContentAudience, type TreeContent, TreePush } from '../session/trees/tree-push.js'
import { type HeldStream, mayBecome } from '../store/catalogue/record.js'
import type { Holdings } from '../store/held/holdings.js'
import { fullName, shown } from '../store/trees/full-name.js'
import type { TreeRecord } from '../store/trees/tree-record.js'
import { ComparedFiles, type FindKnown, type KnownFile } from '../store/walk/compared-files.js'
import { TreeScan } from '../store/walk/tree-scan.js'
import { joined } from '../store/walk/walk.js'
import { openHeldSource } from './held-source.js'
import { isThere } from './tree-there.js'

/** One content of the copy, and who is to have it. */
export interface CopiedContent extends Pick<TreeContent, 'name' | 'nodes' | 'timeoutMs'> {
  readonly transfer: string
  readonly contentId: string
  readonly algorithm: DigestAlgorithm
  readonly known: KnownContent | undefined
  readonly tree: TreePart
}

export interface TreeCopySpec {
  readonly engine: DataEngine
  readonly holdings: Holdings
  readonly files: TreeFiles
  readonly dataDir: string
  readonly wish: CopyWish
  /** Name of the tree, or of the place of a version; what is known of it, the caller closes. */
  readonly tree: Uint8Array
  readonly record: TreeRecord
  /** Criteria: who else may have it. */
  readonly only: string | undefined
  /** For questions to the nodes. */
  readonly dialler: Dialler
  readonly audience: PushAudience
  readonly signal: AbortSignal
  readonly push: (
    source: SourceFile,
    content: CopiedContent,
    audience: PushAudience,
    applied: (node: string, applied: Applied) => void,
    signal: AbortSignal,
  ) => Promise<PushResult>
}

/** Throws ERR_FR_UNSUPPORTED for what only files can be copied with. */
export function requireTreeWish({ allowAdd, relays = [] }: CopyWish): void {
  const wishes = { allowAdd, relays: relays.length > 0 }
  const [first] = Object.entries(wishes).flatMap(([name, is]) => (is ? [name] : []))
  if (first === undefined) return
  throw new FrError('ERR_FR_UNSUPPORTED', `this version copies no trees with ${first}`)
}

/** Rejects as a push does, with ERR_FR_NOT_HELD where the tree is not there. */
export async function copyTree(spec: TreeCopySpec): Promise<PushResult> {
  const { wish, audience, signal, tree, files, dataDir, engine, holdings } = spec
  const [look] = await engine.storage.lookAt(holdings.spec.dir, [tree])
  if (look === null || look === undefined) throw new FrError('ERR_FR_NOT_HELD')
  const path = await realpath(Buffer.concat([Buffer.from(`${dataDir}/`), tree]), 'buffer')
  const algorithm = await algorithmOf(spec.record)
  const { transfer, nodes, strategy, timeoutMs, strict } = wish
  const about = { transfer, nodes, strategy, timeoutMs: timeoutMs ?? undefined, signal }
  const push = pushContent.bind(null, spec, path, algorithm)
  const { plan, progress, node } = audience
  const name = decodeName(wish.as)
  const isThereAlready = (over: AbortSignal) => isThere(name, nodes, spec.dialler, over)
  const ports = { push, isThere: isThereAlready, plan, progress, node }
  return new TreePush({ ...about, name, isDry: false }, ports).run((over, warn) =>
    TreeScan.open({
      ...{ paths: [{ path, name: new Uint8Array() }], include: [], exclude: [] },
      ...{ tree: transfer, algorithm, rereads: false, signal: over, warn },
      files: new HeldTreeFiles(files, spec, path),
      options: {
        // What changes all at once here does so at the others.
        ...{
          isAtomic: look.kind === 'symlink' || isHidden(tree),
          deletes: false,
          strict,
          isDry: false,
        },
        ...{ owner: false, xattrs: false, acls: false },
      },
    }),
  )
}

/** Of most files. */
async function algorithmOf(record: TreeRecord): Promise<DigestAlgorithm> {
  for await (const { algorithm } of record.behind(null)) if (algorithm !== null) return algorithm
  return 'blake3'
}

/** Bundles are new each time; a large file has a record of its own, with digests of its author. */
async function pushContent(
  spec: TreeCopySpec,
  root: Buffer,
  algorithm: DigestAlgorithm,
  { path, name, part: tree, nodes, timeoutMs }: TreeContent,
  { plan, progress, applied }: ContentAudience,
  signal: AbortSignal,
): Promise<PushResult> {
  const { engine, holdings, dataDir, push } = spec
  const { storage } = engine
  const audience: PushAudience = { plan, progress, node: () => {}, running: () => {} }
  const of = { transfer: randomId(), name, tree, nodes, timeoutMs }
  if (tree.isBundle) {
    const source = await storage.openSource(String(path))
    const bundle = { ...of, contentId: randomId(), algorithm, known: undefined }
    return push(source, bundle, audience, applied, signal).finally(() =>
      storage.closeFile(source.file),
    )
  }
  const rel = Buffer.from(path).subarray(root.length + 1)
  const record = holdings.catalogue?.get(fullName(spec.tree, rel))
  if (record === undefined || !mayBecome(record, spec.only)) throw changed(rel)
  const runs = (await holdings.catalogue?.runs(record)) ?? []
  const source = await openHeldSource(holdings, storage, dataDir, record).catch(() => {
    throw changed(rel)
  })
  const { contentId, fileDigest, author } = record
  const known = { fileDigest, author, signed: runs }
  const file = { ...of, contentId, algorithm: record.algorithm, known }
  return push(source, file, audience, applied, signal).finally(() => storage.closeFile(source.file))
}

function changed(rel: Uint8Array): FrError {
  const text = `${shown(rel)}: somebody else changed or removed it`
  return new FrError('ERR_FR_SOURCE_CHANGED', text)
}

/** Sees what is known of a tree, and reads only what has its digest. */
class HeldTreeFiles extends ComparedFiles {
  readonly #known: FindKnown

  constructor(files: TreeFiles, { holdings, record, tree, only }: TreeCopySpec, root: Buffer) {
    const known: FindKnown = async (paths) => {
      const names = paths.map((path) => path.subarray(root.length + 1))
      const rows = await record.lookUp(names)
      return rows.map((row, at) => {
        const own = holdings.catalogue?.get(fullName(tree, names[at] as Buffer))
        // What has come there for others only is nothing that the tree may have.
        if (own !== undefined && mayBecome(own, only)) return knownOf(own)
        return row && { digest: row.value, algorithm: row.algorithm }
      })
    }
    super(files, known, wrong)
    this.#known = known
  }

  override list(...asked: Parameters<TreeFiles['list']>): AsyncGenerator<Looked[]> {
    // Reading begins with the call.
    return this.#some(asked[0], super.list(...asked))
  }

  async *#some(directory: Buffer, lists: AsyncIterable<Looked[]>): AsyncGenerator<Looked[]> {
    for await (const list of lists) {
      const known = await this.#known(list.map(({ name }) => joined(directory, name)))
      yield list.filter((looked, at) => isAsKnown(looked, known[at]))
    }
  }
}

/** What is in a file is compared when it is read. */
function isAsKnown({ kind, target }: Looked, known: KnownFile | undefined): boolean {
  if (known === undefined || kind !== 'symlink') return known !== undefined
  return Buffer.from(known.digest ?? []).equals(target ?? Buffer.alloc(0))
}

const wrong: FileRead = {
  code: 'ERR_FR_SOURCE_CHANGED',
  text: 'somebody else changed it, or its bytes are not those of its digest',
}

function knownOf({ fileDigest, algorithm }: HeldStream): KnownFile {
  return { digest: bytesOfHex(fileDigest.slice(fileDigest.lastIndexOf(':') + 1)), algorithm }
}
