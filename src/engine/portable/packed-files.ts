/** Many new files in one step, which the portable engine takes one by one. */
import { i64At, u64At } from '../../base/bytes.js'
import { packedFile, packedLook } from '../../ports/entries.js'
import type { EntryOutcome, EntryStep } from '../../ports.js'
import { putLook } from './entry-looks.js'

type Files = EntryStep & { readonly kind: 'files' }
export type OneStep = Exclude<EntryStep, Files>

/** Each file of `files` is a step of its own. */
export function oneByOne(steps: readonly EntryStep[]): readonly OneStep[] {
  return steps.flatMap((step) => (step.kind === 'files' ? filesOf(step) : [step]))
}

function filesOf({ rows: packed, count, file }: Files): OneStep[] {
  const rows = Buffer.from(packed.buffer, packed.byteOffset, packed.length)
  let at = 0
  return Array.from({ length: count }, (): OneStep => {
    const nameAt = at + packedFile.bytes
    const end = nameAt + rows.readUInt16LE(at + packedFile.nameBytes)
    const seconds = i64At(rows, at + packedFile.seconds)
    const step: OneStep = {
      kind: 'file',
      name: rows.subarray(nameAt, end),
      file,
      offset: u64At(rows, at + packedFile.offset),
      size: u64At(rows, at + packedFile.size),
      isSparse: ((rows[at + packedFile.flags] as number) & packedFile.isSparse) !== 0,
      attributes: {
        mode: rows.readUInt16LE(at + packedFile.mode),
        mtime: { seconds, nanos: rows.readUInt32LE(at + packedFile.nanos) },
      },
      replacesDirectories: false,
    }
    at = end
    return step
  })
}

/** What became of steps, by what became of each of `oneByOne`. */
export function together(
  steps: readonly EntryStep[],
  ones: readonly EntryOutcome[],
): EntryOutcome[] {
  let at = 0
  return steps.map((step): EntryOutcome => {
    const from = at
    at += step.kind === 'files' ? step.count : 1
    if (step.kind !== 'files') return ones[from] as EntryOutcome
    const looks = Buffer.alloc(step.count * packedLook.bytes)
    const others = new Map<number, EntryOutcome>()
    for (const [file, outcome] of ones.slice(from, at).entries()) {
      const { failure, lost, look } = outcome
      if (failure !== null || lost.length > 0) others.set(file, outcome)
      if (look !== null) putLook(looks, file * packedLook.bytes, look)
    }
    return { failure: null, lost: [], look: null, files: { looks, others } }
  })
}
