/** Where a sparse file has data: Node cannot ask for holes, so zeros are looked for. */

/** Zeros of a sparse file are told from data in steps of this. */
const grainBytes = 16 * 1024
const zeros = Buffer.alloc(grainBytes)

/** How many grains of these, from the first on, are zeros, in bytes. */
export function zerosAhead(bytes: Buffer): number {
  const [first] = runsOf(bytes)
  return first?.[2] === true ? first[1] : 0
}

/** Runs of zeros and of data, cut at grains: where each begins and ends, whether it is zeros. */
export function runsOf(payload: Buffer): (readonly [from: number, to: number, isHole: boolean])[] {
  const runs: [number, number, boolean][] = []
  for (let from = 0; from < payload.length; from += grainBytes) {
    const to = Math.min(payload.length, from + grainBytes)
    const isHole = payload.subarray(from, to).equals(zeros.subarray(0, to - from))
    const last = runs.at(-1)
    if (last?.[2] === isHole) last[1] = to
    else runs.push([from, to, isHole])
  }
  return runs
}
