/** The page of a node. */
import { useMemo } from 'preact/hooks'
import type { Api } from './api.js'
import { durationText } from './format.js'
import { HoldingsView } from './holdings.js'
import { LiveView } from './live.js'
import { NodeModel } from './model.js'
import { SendView } from './send.js'
import { Shell, useRoute } from './shell.js'
import { useStore, useTask } from './store.js'
import { VersionsView } from './versions.js'

const views = [
  { path: '', title: 'Live' },
  { path: 'holdings', title: 'Holdings' },
  { path: 'versions', title: 'Versions' },
  { path: 'send', title: 'Send' },
]

export function NodePage({ api }: { readonly api: Api }) {
  const model = useMemo(() => new NodeModel(api), [api])
  useStore(model)
  useTask((signal) => model.run(signal), [model])
  const [at = '', what] = useRoute()
  const { status, connection } = model
  const about =
    status === null
      ? ''
      : `${status.node} · ${status.version} · up ${durationText(Math.floor(status.uptimeSeconds))}`
  return (
    <Shell
      {...{ api, connection, views, about }}
      name={status === null ? '' : (status.name ?? status.node)}
      at={at === 'transfers' ? '' : at}
    >
      {at === 'holdings' ? (
        <HoldingsView model={model} />
      ) : at === 'versions' ? (
        <VersionsView model={model} />
      ) : at === 'send' ? (
        <SendView model={model} />
      ) : (
        <LiveView model={model} wanted={at === 'transfers' ? (what ?? null) : null} />
      )}
    </Shell>
  )
}
