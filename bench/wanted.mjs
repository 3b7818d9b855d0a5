/**
 * Target values and whether figures reach them. Targets are data beside the things they apply to:
 * `{ name: limit }`, where the limit is a number (at most) or `{ atLeast: number }`. The first is
 * the row's main target, which its `wanted` column shows.
 *
 * A missing figure (null: one run has no spread) is not judged. A miss is a finding, not a failure,
 * and does not change how a bench ends.
 */

const text = (limit, digits) =>
  typeof limit === 'number' ? `<= ${limit.toFixed(digits)}` : `>= ${limit.atLeast.toFixed(digits)}`

function isMet(value, limit) {
  return typeof limit === 'number' ? value <= limit : value >= limit.atLeast
}

/**
 * `{ wanted, met, missed }`: two cells and a list of sentences. `values` are the figures by the
 * same names; `label` names the row in the sentences.
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

/** The last lines of a bench: all missed targets. */
export function missedText(missed, isJudged) {
  if (missed.length > 0) return ['missed:', ...missed.map((each) => `  ${each}`), ''].join('\n')
  return isJudged ? 'everything that was wanted and measured was reached\n' : ''
}
