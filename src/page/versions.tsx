/** Earlier versions of names at a node, and the way back to one. */
import { useState } from 'preact/hooks'
import { textOf } from './api.js'
import { bytesText, durationText } from './format.js'
import type { NodeModel } from './model.js'
import { Card, Empty, Heads, Notice, Scroll, State } from './parts.js'
import { useTask } from './store.js'
import type { FileVersion } from './told.js'

const rowsMax = 500

export function VersionsView({ model }: { readonly model: NodeModel }) {
  const [items, set] = useState<readonly FileVersion[] | null>(null)
  const [isWhole, whole] = useState(true)
  const [said, say] = useState<readonly [tone: string, text: string] | null>(null)
  const [asked, again] = useState(0)
  useTask(
    async (signal) => {
      try {
        const path = `/versions?limit=${rowsMax}`
        const told = await model.api.get<{ items: FileVersion[]; isWhole: boolean }>(path, signal)
        set(told.items)
        whole(told.isWhole)
      } catch (error) {
        if (!signal.aborted) say(['bad', textOf(error)])
      }
    },
    // A name that something else has now has one version more.
    [asked, model.status?.held.bytes],
  )
  const back = async ({ name, digest }: FileVersion): Promise<void> => {
    const version = digest.replace(/^.*:/, '')
    try {
      await model.api.send('POST', '/rollbacks', { name, version })
      say(['plain', `${name} is ${digest.slice(0, 20)}… again.`])
    } catch (error) {
      say(['bad', textOf(error)])
    }
    again((count) => count + 1)
  }
  return (
    <Card title="Versions">
      <h1 class="unseen">Versions</h1>
      {said !== null && <Notice tone={said[0]}>{said[1]}</Notice>}
      {items?.length === 0 && (
        <Empty>No name has earlier versions here (fr node --keep, fr push --keep).</Empty>
      )}
      {items !== null && items.length > 0 && (
        <Scroll label="Versions of names">
          <table>
            <Heads
              titles={['Name', 'Version', 'Size', 'Published', 'Digest']}
              minor={['Digest']}
              hasActions
            />
            <tbody>
              {items.map((one) => (
                <tr key={`${one.name} ${one.digest} ${one.back}`}>
                  <th scope="row">{one.name}</th>
                  <td>{one.isPresent ? <State state={one.state} /> : `${one.back} before`}</td>
                  <td>{bytesText(one.bytes)}</td>
                  <td>{`${durationText(one.ageSeconds)} ago`}</td>
                  <td class="minor">
                    <code title={one.digest}>{one.digest.slice(0, 20)}</code>
                  </td>
                  <td class="actions">
                    {!one.isPresent && one.nameBase64 === null && (
                      <button type="button" class="quiet" onClick={() => void back(one)}>
                        Roll back to it
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {!isWhole && <p class="hint">{`These are the first ${rowsMax}.`}</p>}
    </Card>
  )
}
