/** Entries as the addon takes and gives them; native/core/file/entries.h says how they lie. */
import { i64At, put64, u64At, u64Text } from '../../base/bytes.js'
import { codeFromNative, FrError } from '../../base/errors.js'
import { lookKinds, packedFile, packedLook } from '../../ports/entries.js'
import type {
  EntryAttributes,
  EntryLook,
  EntryOutcome,
  EntryStep,
  ExtendedAttribute,
  FileHandle,
  FilesOutcome,
  ListedEntry,
  LostEntryAttribute,
} from '../../ports.js'
import { systemFailure } from '../system-error.js'

const lookBytes = packedLook.bytes
const stepBytes = 56
const placedBytes = 8 + lookBytes + 2
const stepKinds: Readonly<Record<EntryStep['kind'], number>> = {
  directory: 1,
  file: packedFile.kind,
  files: packedFile.kind,
  partial: 3,
  symlink: 4,
  hardlink: 5,
  attributes: 6,
  remove: 7,
}
const flag = { attributes: 1, owner: 2, sparse: 4, replaces: 8 } as const
/** In the order of the bits of native/core/file/storage.h. */
const lostAttributes: readonly LostEntryAttribute[] = ['mode', 'mtime', 'owner', 'xattrs']
const longestText = 0xffff
const nothing = new Uint8Array()

export function bytesOfNames(names: readonly Uint8Array[]): Uint8Array {
  let bytes = 0
  for (const name of names) bytes += 2 + checkLength('name', name)
  const packed = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const name of names) {
    packed[at] = name.length & 0xff
    packed[at + 1] = name.length >> 8
    packed.set(name, at + 2)
    at += 2 + name.length
  }
  return packed
}

/** `known` refuses a handle that is not open. */
export function bytesOfSteps(
  steps: readonly EntryStep[],
  known: (file: FileHandle) => FileHandle,
): Uint8Array {
  const parts: Uint8Array[] = []
  for (const step of steps) {
    if (step.kind === 'files') {
      known(step.file)
      parts.push(step.rows)
      continue
    }
    const extra = extraOf(step)
    const xattrs = 'attributes' in step ? bytesOfXattrs(step.attributes.xattrs ?? []) : nothing
    const row = Buffer.allocUnsafe(stepBytes).fill(0)
    row.writeUInt8(stepKinds[step.kind], 0)
    if ('attributes' in step) writeAttributes(row, step.attributes)
    if (step.kind === 'directory') row.writeUInt16LE(step.mode & 0o777, 2)
    if ('replacesDirectories' in step && step.replacesDirectories) raise(row, flag.replaces)
    if (step.kind === 'remove' && step.isWhole) raise(row, flag.replaces)
    if ('size' in step) put64(row, 24, step.size)
    if (step.kind === 'file') {
      if (step.isSparse) raise(row, flag.sparse)
      put64(row, 16, step.offset)
      row.writeUInt32LE(known(step.file), 40)
    }
    row.writeUInt32LE(xattrs.length, 44)
    row.writeUInt16LE(checkLength('name', step.name), 48)
    row.writeUInt16LE(checkLength('target', extra), 50)
    parts.push(row, step.name, extra, xattrs)
  }
  return Buffer.concat(parts)
}

function raise(row: Buffer, bit: number): void {
  row.writeUInt8(row.readUInt8(1) | bit, 1)
}

function writeAttributes(row: Buffer, { mode, mtime, owner }: EntryAttributes): void {
  raise(row, flag.attributes)
  row.writeUInt16LE(mode & 0o777, 2)
  row.writeUInt32LE(mtime.nanos, 4)
  put64(row, 8, mtime.seconds)
  if (owner === undefined) return
  raise(row, flag.owner)
  row.writeUInt32LE(owner.uid, 32)
  row.writeUInt32LE(owner.gid, 36)
}

function extraOf(step: EntryStep): Uint8Array {
  if (step.kind === 'symlink') return step.target
  if (step.kind === 'hardlink') return step.to
  return step.kind === 'partial' ? Buffer.from(step.id) : nothing
}

function bytesOfXattrs(xattrs: readonly ExtendedAttribute[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const { name, value } of xattrs) {
    const bytes = Buffer.from(name)
    const head = Buffer.alloc(6)
    head.writeUInt16LE(checkLength('name of an attribute', bytes), 0)
    head.writeUInt32LE(value.length, 2)
    parts.push(head, bytes, value)
  }
  return Buffer.concat(parts)
}

function checkLength(what: string, { length }: Uint8Array): number {
  if (length > longestText) throw new FrError('ERR_FR_NAME', `the ${what} is longer than 64 KiB`)
  return length
}

export function looksOf(bytes: Uint8Array): (EntryLook | null)[] {
  const rows = viewOf(bytes)
  const looks: (EntryLook | null)[] = []
  for (let at = 0; at < rows.length; at += lookBytes) looks.push(lookOf(rows, at))
  return looks
}

export function listedOf(bytes: Uint8Array): ListedEntry[] {
  const rows = viewOf(bytes)
  const found: ListedEntry[] = []
  for (let at = 0; at < rows.length; ) {
    const look = lookOf(rows, at) as EntryLook
    const from = at + lookBytes + 2
    at = from + rows.readUInt16LE(from - 2)
    found.push({ name: Uint8Array.prototype.slice.call(rows, from, at), look })
  }
  return found
}

/** Of these steps. */
export function outcomesOf(bytes: Uint8Array, steps: readonly EntryStep[]): EntryOutcome[] {
  const rows = viewOf(bytes)
  let at = 0
  return steps.map((step): EntryOutcome => {
    const from = at
    const count = step.kind === 'files' ? step.count : 1
    for (let row = 0; row < count; row += 1) at = endOfOutcome(rows, at)
    if (step.kind !== 'files') return outcomeAt(rows, from)
    const files = filesOutcomeAt(rows, from, count)
    return { failure: null, lost: [], look: null, files }
  })
}

function endOfOutcome(rows: Buffer, at: number): number {
  return at + placedBytes + rows.readUInt16LE(at + placedBytes - 2)
}

function filesOutcomeAt(rows: Buffer, from: number, count: number): FilesOutcome {
  const looks = new Uint8Array(count * lookBytes)
  const others = new Map<number, EntryOutcome>()
  let at = from
  for (let file = 0; file < count; file += 1) {
    if (rows.readUInt16LE(at) !== 0 || rows.readUInt32LE(at + 4) !== 0)
      others.set(file, outcomeAt(rows, at))
    rows.copy(looks, file * lookBytes, at + 8, at + 8 + lookBytes)
    at = endOfOutcome(rows, at)
  }
  return { looks, others }
}

function outcomeAt(rows: Buffer, at: number): EntryOutcome {
  const [code, errno, bits] = [
    rows.readUInt16LE(at),
    rows.readUInt16LE(at + 2),
    rows.readUInt32LE(at + 4),
  ]
  const text = rows.toString('latin1', at + placedBytes, endOfOutcome(rows, at))
  return {
    failure: code === 0 ? null : failureOf(code, errno, text),
    lost: bits === 0 ? [] : lostAttributes.filter((_name, bit) => (bits & (1 << bit)) !== 0),
    look: lookOf(rows, at + 8),
  }
}

function failureOf(number: number, errno: number, what: string): EntryOutcome['failure'] {
  const { code, message: text } = systemFailure(codeFromNative(number), { what, errno })
  return { code, text }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function lookOf(rows: Buffer, at: number): EntryLook | null {
  const kind = lookKinds[rows.readUInt8(at)]
  if (kind === undefined) return null
  return {
    kind,
    isMount: rows.readUInt8(at + 1) === 1,
    mode: rows.readUInt16LE(at + 2),
    links: rows.readUInt32LE(at + 4),
    uid: rows.readUInt32LE(at + 48),
    gid: rows.readUInt32LE(at + 52),
    identity: {
      size: u64At(rows, at + 8),
      inode: u64Text(rows, at + 16),
      mtime: { seconds: i64At(rows, at + 24), nanos: rows.readUInt32LE(at + 40) },
      ctime: { seconds: i64At(rows, at + 32), nanos: rows.readUInt32LE(at + 44) },
    },
  }
}
