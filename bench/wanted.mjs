/**
 * What is wanted of a figure, and whether it was reached. Wanted values are data beside what they
 * are wanted of: `{ name: limit }`, where the limit is a number (at most) or `{ atLeast: number }`.
 * The first one is the row's own, which its `wanted` column shows.
 *
 * A figure that could not be taken (null: one run has no spread) is not judged. Nothing here
 * decides how a bench ends: a miss is a finding, not a failure.
 */

const text = (limit, digits) =>
  typeof limit === 'number' ? `<= ${limit.toFixed(digits)}` : `>= ${limit.atLeast.toFixed(digits)}`

function isMet(value, limit) {
  return typeof limit === 'number' ? value <= limit : value >= limit.atLeast
}

/**
 * `{ wanted, met, missed }`: two cells and a list of sentences. `values`: the figures by the same
 * names; `label`: the row, for the sentences.
 */
export function judge(label, wanted, values, digits = 2) {
  const names = Object.keys(wanted ?? {})
  const judged = names.filter((name) => values[name] !== null && values[name] !== undefined)
  const missed = judged.filter((name) => !isMet(values[name], wanted[name]))
  return {
    wanted: names.length === 0 ? null : text(wanted[names[0]], digits),
    met: judged.length === 0 ? null : missed.length === 0 ? 'yes' : `no: ${missed.join(', ')}`,
    missed: missed.map(
      (name) =>
        `${label}: ${name} ${values[name].toFixed(3)} (wanted: ${text(wanted[name], digits)})`,
    ),
  }
}

/** The last lines of a bench: everything that was missed. */
export function missedText(missed, isJudged) {
  if (missed.length > 0) return ['missed:', ...missed.map((each) => `  ${each}`), ''].join('\n')
  return isJudged ? 'everything that was wanted and measured was reached\n' : ''
}
