/**
 * The least that any schedule costs: a linear program, solved by HiGHS.
 *
 * Each file is a flow over the links to every site that wants it; flows of one file share what they
 * use (the relaxation of Wong, Math. Program. 28, 1984), so a byte is paid once for a link, and may
 * be copied on anywhere, in whatever parts. No link carries more than it can in the time.
 */
import highsLoader from 'highs'

/** @typedef {{ bytes: number, holders: readonly string[], wanting: readonly string[] }} Spread */

/**
 * Null: it cannot be done in that time.
 * @param {import('../dist/control/copies/network.js').TopologySpec} topology
 * @param {readonly Spread[]} spreads by names of sites
 * @param {number} seconds
 * @returns {Promise<number | null>}
 */
export async function leastCost({ sites, links }, spreads, seconds) {
  const rows = []
  const cost = []
  const uses = links.map(() => [])
  for (const [f, { bytes, holders, wanting }] of spreads.entries()) {
    const isHolder = new Set(holders)
    for (const [e, { costPerGb = 0 }] of links.entries()) {
      cost.push(`+ ${(costPerGb * bytes) / 1e9} y${f}_${e}`)
      uses[e].push(`+ ${bytes / 1e6} y${f}_${e}`)
    }
    for (const [t, target] of wanting.entries()) {
      for (const e of links.keys()) rows.push(`y${f}_${e} - x${f}_${e}_${t} >= 0`)
      for (const { name } of sites) {
        if (isHolder.has(name)) continue
        const terms = links.flatMap(({ from, to }, e) =>
          to === name ? [`+ x${f}_${e}_${t}`] : from === name ? [`- x${f}_${e}_${t}`] : [],
        )
        if (terms.length > 0) rows.push(`${terms.join(' ')} = ${name === target ? 1 : 0}`)
      }
    }
  }
  for (const [e, terms] of uses.entries())
    if (terms.length > 0)
      rows.push(`${terms.join(' ')} <= ${(links[e].bytesPerSecond * seconds) / 1e6}`)
  const named = rows.map((row, i) => ` r${i}: ${row}`).join('\n')
  // The types of the package say that the function is called default; it is the module itself.
  const highs = await /** @type {any} */ (highsLoader)()
  const solved = highs.solve(`Minimize\n c: ${cost.join(' ')}\nSubject To\n${named}\nEnd`)
  return solved.Status === 'Optimal' ? solved.ObjectiveValue : null
}
