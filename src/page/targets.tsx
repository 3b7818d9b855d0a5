/** Addresses of nodes that something is to go to: written, or found by criteria. */
import { useState } from 'preact/hooks'
import { textOf } from './api.js'
import { countText } from './format.js'
import type { NodeModel } from './model.js'

interface TargetsProps {
  readonly model: NodeModel
  readonly text: string
  readonly onText: (text: string) => void
}

export function addressesIn(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((one) => one !== ''))]
}

export function Targets({ model, text, onText }: TargetsProps) {
  const [where, setWhere] = useState('')
  const [said, say] = useState<string | null>(null)
  const find = async (): Promise<void> => {
    say('Asking…')
    try {
      const query = new URLSearchParams({ where })
      const { nodes } = await model.api.get<{ nodes: { node: string }[] }>(`/nodes?${query}`)
      onText([...new Set([...addressesIn(text), ...nodes.map(({ node }) => node)])].join('\n'))
      say(`${countText(nodes.length, 'node')} found.`)
    } catch (error) {
      say(textOf(error))
    }
  }
  const isInDirectory = model.status?.directory.parent != null || model.status?.directory.children
  return (
    <>
      <label>
        Nodes
        <textarea
          rows={3}
          value={text}
          placeholder={'10.0.0.3:7400\n10.0.0.4:7400'}
          onInput={({ currentTarget }) => onText(currentTarget.value)}
        />
      </label>
      {isInDirectory ? (
        <div class="beside">
          <label>
            Find nodes by criteria
            <input
              value={where}
              placeholder="site=eu"
              onInput={({ currentTarget }) => setWhere(currentTarget.value)}
            />
          </label>
          <button
            type="button"
            class="quiet"
            disabled={where.trim() === ''}
            onClick={() => void find()}
          >
            Find
          </button>
          {said !== null && <span role="status">{said}</span>}
        </div>
      ) : null}
    </>
  )
}
