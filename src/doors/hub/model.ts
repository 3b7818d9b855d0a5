/**
 * A model: a tree, at one of its versions, as a repository of a hub. Its commit is the beginning of
 * the digest of the tree, so it is the same at all nodes that have the same; and so are the ids of
 * files, which follow from their digests where the SHA-256 of a file is not known.
 */
import { createHash } from 'node:crypto'
import type { OpenContent, OpenTree, OpenTreeEntry } from '../../api/open-types.js'
import type { FrNode } from '../../api/types.js'
import { FrError } from '../../base/errors.js'
import { sumsName } from '../../base/tree-sums.js'
import { isVersion } from '../../base/versions.js'
import { awaited, sha256By } from '../files/arrived.js'
import { openFor, qualifies } from '../files/handler.js'
import type { Sums, SumsOfTree } from '../files/sums.js'
import type { Who } from '../mount.js'
import { HubRefusal } from './refusal.js'

const commitChars = 40

export interface Asking {
  readonly node: Pick<FrNode, 'open' | 'openTree'>
  readonly who: Who
  readonly sums: Sums
  /** Whoever asks has gone, or the door closes. */
  readonly signal: AbortSignal
}

/** As a hub tells it. */
export interface ModelEntry {
  readonly type: 'file' | 'directory'
  readonly path: string
  readonly size: number
  readonly oid: string
  readonly lfs?: { readonly oid: string; readonly size: number; readonly pointerSize: number }
}

export class Model implements AsyncDisposable {
  readonly commit: string
  readonly changedMs: number
  readonly #asking: Asking
  readonly #name: string
  /** Under which its files are opened. */
  readonly #place: string
  readonly #tree: OpenTree
  readonly #sums: SumsOfTree

  private constructor(
    asking: Asking,
    name: string,
    { place, tree }: Found,
    changedMs: number,
    sums: SumsOfTree,
  ) {
    this.#sums = sums
    this.#asking = asking
    this.#name = name
    this.#place = place
    this.#tree = tree
    this.changedMs = changedMs
    this.commit = commitOf(tree) ?? ''
  }

  /**
   * Waits while a push of it runs. Rejects with RepoNotFound, RevisionNotFound, and 503 where the
   * push does not end in time.
   */
  static async open(asking: Asking, name: string, revision: string): Promise<Model> {
    return awaited(asking.signal, 'a push of this model still runs', async () => {
      const found = await openAt(asking, name, revision)
      const { tree } = found
      if (tree.wholeAtMs !== null) {
        const sums = await asking.sums.of(asking.node, asking.who, found.place)
        return new Model(asking, name, found, tree.wholeAtMs, sums)
      }
      await tree.close()
      return null
    })
  }

  /** Of what whoever asks may get; names that are no UTF-8 are none of a hub. */
  async *entries(after?: Uint8Array): AsyncGenerator<OpenTreeEntry & { readonly path: string }> {
    for await (const entry of this.#tree.entries(after)) {
      const path = pathIn(entry)
      if (path !== null && path !== sumsName && this.#mayGet(path)) yield { ...entry, path }
    }
  }

  async find(path: string): Promise<(OpenTreeEntry & { readonly path: string }) | null> {
    const entry = this.#mayGet(path) ? await this.#tree.find(Buffer.from(path)) : null
    return entry === null || pathIn(entry) === null ? null : { ...entry, path }
  }

  /** The caller closes it. Rejects with EntryNotFound, also where it is not as it was pushed. */
  async file(path: string): Promise<OpenContent> {
    const entry = await this.find(path)
    if (entry?.kind !== 'file') throw noEntry(path)
    const content = await openFor(this.#asking.node, `${this.#place}/${path}`, this.#asking.who)
    if (content.state === 'held' && content.digest === entry.digest) return content
    content.close()
    throw noEntry(path)
  }

  /** What is told of entries; SHA-256 that are not known within `untilMs` are left out. */
  async told(entry: OpenTreeEntry & { readonly path: string }, untilMs: number) {
    const { path, size } = entry
    const oid = oidOf(entry)
    if (entry.kind === 'directory') return { type: 'directory', path, size: 0, oid } as const
    const sha256 = await this.sha256(entry, untilMs)
    const lfs = sha256 === null ? undefined : { oid: sha256, size, pointerSize: pointerSize(size) }
    return { type: 'file', path, size, oid, ...(lfs && { lfs }) } satisfies ModelEntry
  }

  /** 64 hex digits; null: they are not known by then. */
  async sha256({ path, digest }: OpenTreeEntry & { readonly path: string }, untilMs: number) {
    const carried = this.#sums.get(digest ?? '')
    if (carried !== undefined) return carried
    const content = await this.file(path).catch(() => null)
    if (content === null) return null
    try {
      return await sha256By(content, untilMs, this.#asking.signal).catch(() => null)
    } finally {
      content.close()
    }
  }

  #mayGet(path: string): boolean {
    const { who } = this.#asking
    return who.rights('get', `${this.#name}/${path}`)
  }

  close(): Promise<void> {
    return this.#tree.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

interface Found {
  readonly tree: OpenTree
  readonly place: string
}

async function openAt({ node, who }: Asking, name: string, revision: string): Promise<Found> {
  const present = await opened(node, name)
  if (present === null) throw noModel(name)
  if (!mayHave(present, who)) {
    await present.close()
    throw noModel(name)
  }
  if (revision === 'main' || revision === 'HEAD' || revision === commitOf(present))
    return { tree: present, place: name }
  const place = `${name}@${revision}`
  const finding = isVersion(revision) ? opened(node, place) : Promise.resolve(null)
  const tree = await finding.catch(async (error: unknown) => {
    await present.close()
    throw error
  })
  // It may be the commit that the push which runs brings.
  if (tree === null && present.digest === null) return { tree: present, place: name }
  await present.close()
  if (tree === null) throw new HubRefusal('RevisionNotFound', `${name} has no ${revision}`)
  if (mayHave(tree, who)) return { tree, place }
  await tree.close()
  throw noModel(name)
}

/** Null: there is no such tree. */
function opened(node: Asking['node'], name: string): Promise<OpenTree | null> {
  return node.openTree(name).catch((error: unknown) => {
    const codes: readonly string[] = ['ERR_FR_NOT_HELD', 'ERR_FR_NAME']
    if (error instanceof FrError && codes.includes(error.code)) return null
    throw error
  })
}

function mayHave({ only }: OpenTree, { attributes }: Who): boolean {
  return qualifies(attributes, only)
}

function commitOf({ digest }: OpenTree): string | null {
  return digest === null ? null : digest.replace(/^tree:/, '').slice(0, commitChars)
}

/** Null: it is no file or directory, or its name is no text. */
function pathIn({ kind, name }: OpenTreeEntry): string | null {
  if (kind === 'symlink') return null
  try {
    return new TextDecoder('utf8', { fatal: true, ignoreBOM: true }).decode(name)
  } catch {
    return null
  }
}

/** 40 hex digits, as of an object of git: of the content of a file, of the name of a directory. */
export function oidOf({ kind, name, digest }: OpenTreeEntry): string {
  const about = kind === 'file' && digest !== null ? digest : name
  return createHash('sha256').update(`${kind} `).update(about).digest('hex').slice(0, commitChars)
}

/** Bytes of the text by which git has a large file. */
function pointerSize(size: number): number {
  const spec = 'version https://git-lfs.github.com/spec/v1\n'
  return `${spec}oid sha256:\nsize ${size}\n`.length + 64
}

export function noModel(name: string): HubRefusal {
  return new HubRefusal('RepoNotFound', `this node has no model ${name}`)
}

export function noEntry(path: string): HubRefusal {
  return new HubRefusal('EntryNotFound', `the model has no ${path}`)
}
