/** To begin something: files of whoever looks at the page, or what the node has. */
import { useMemo, useState } from 'preact/hooks'
import { CopyForm } from './copy.js'
import { bytesText, countText, rateText, shareText } from './format.js'
import type { NodeModel } from './model.js'
import { Bar, Card, Notice, State } from './parts.js'
import { useRoute } from './shell.js'
import { useStore } from './store.js'
import { addressesIn, Targets } from './targets.js'
import { type FileUpload, filesMax, UploadsModel, type Wish } from './upload.js'

/** They go on while other views are looked at. */
const models = new WeakMap<NodeModel, UploadsModel>()

function uploadsOf(model: NodeModel): UploadsModel {
  const known = models.get(model) ?? new UploadsModel(model.api)
  models.set(model, known)
  return known
}

export function SendView({ model }: { readonly model: NodeModel }) {
  const uploads = useMemo(() => uploadsOf(model), [model])
  const [, name = ''] = useRoute()
  return (
    <>
      <h1 class="unseen">Send</h1>
      <div class="columns even">
        <DropCard model={model} uploads={uploads} />
        <CopyForm key={name} model={model} name={decoded(name)} />
      </div>
    </>
  )
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

type Way = 'here' | 'to' | 'where'

const ways: readonly (readonly [Way, string])[] = [
  ['here', 'This node holds it'],
  ['to', 'Push it to nodes'],
  ['where', 'Publish it by criteria'],
]

interface DropProps {
  readonly model: NodeModel
  readonly uploads: UploadsModel
}

function DropCard({ model, uploads }: DropProps) {
  useStore(uploads)
  const [way, setWay] = useState<Way>('here')
  const [to, setTo] = useState('')
  const [where, setWhere] = useState('')
  const [folder, setFolder] = useState('')
  const [isOver, over] = useState(false)
  const [said, say] = useState<string | null>(null)
  const take = (list: FileList | null | undefined): void => {
    const more = uploads.add([...(list ?? [])])
    say(more === 0 ? null : `At most ${filesMax} files at once: ${more} were left out.`)
  }
  const waiting = uploads.all.filter(({ state }) => state === 'ready' || state === 'failed')
  const addresses = addressesIn(to)
  const isReady = way === 'here' || (way === 'to' ? addresses.length > 0 : where.trim() !== '')
  const start = (): void => {
    for (const one of waiting) {
      const wish: Wish = {
        name: `${folder.replace(/\/*$/, folder === '' ? '' : '/')}${one.file.name}`,
        where: way === 'where' ? where.trim() : '',
        to: way === 'to' ? addresses : [],
      }
      void uploads.send(one, wish)
    }
  }
  return (
    <Card title="Files from here">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          start()
        }}
      >
        <label
          class={`drop ${isOver ? 'over' : ''}`}
          onDragOver={(event) => {
            event.preventDefault()
            over(true)
          }}
          onDragLeave={() => over(false)}
          onDrop={(event) => {
            event.preventDefault()
            over(false)
            take(event.dataTransfer?.files)
          }}
        >
          <strong>Drop files here</strong>
          <span>or click to choose them</span>
          <input
            class="unseen"
            type="file"
            multiple
            onChange={({ currentTarget }) => {
              take(currentTarget.files)
              currentTarget.value = ''
            }}
          />
        </label>
        {said !== null && <Notice tone="warn">{said}</Notice>}
        <ul class="list">
          {uploads.all.map((one, at) => (
            <UploadRow key={`${at} ${one.file.name}`} one={one} onDrop={() => uploads.drop(one)} />
          ))}
        </ul>
        <fieldset class="ways">
          <legend>What becomes of them</legend>
          {ways.map(([value, text]) => (
            <label key={value}>
              <input
                type="radio"
                name="way"
                value={value}
                checked={way === value}
                onChange={() => setWay(value)}
              />
              {text}
            </label>
          ))}
        </fieldset>
        {way === 'to' && <Targets model={model} text={to} onText={setTo} />}
        {way === 'where' && (
          <label>
            Criteria of nodes
            <input
              value={where}
              placeholder="site=eu && tier=edge"
              onInput={({ currentTarget }) => setWhere(currentTarget.value)}
            />
          </label>
        )}
        <label>
          Folder at the nodes (may be empty)
          <input
            value={folder}
            placeholder="films"
            onInput={({ currentTarget }) => setFolder(currentTarget.value)}
          />
        </label>
        <button type="submit" disabled={waiting.length === 0 || !isReady}>
          {waiting.length === 0 ? 'Send' : `Send ${countText(waiting.length, 'file')}`}
        </button>
        <p class="hint">
          What breaks off goes on where it was: after a reload give the same file again.
        </p>
      </form>
    </Card>
  )
}

const stateTexts: Readonly<Record<FileUpload['state'], string>> = {
  ready: 'ready',
  waiting: 'waiting',
  sending: 'running',
  spreading: 'running',
  complete: 'complete',
  failed: 'failed',
}

function UploadRow({ one, onDrop }: { readonly one: FileUpload; readonly onDrop: () => void }) {
  const { file, state, offset, fault, division, transfer, isResumed } = one
  const share = file.size === 0 ? 1 : offset / file.size
  const isBusy = state === 'sending' || state === 'spreading' || state === 'waiting'
  return (
    <li class="row upload">
      <span class="row-name">{file.name}</span>
      <State state={stateTexts[state]} />
      <span class="row-note">
        {bytesText(file.size)}
        {division !== null && ` · ${kindOf(division)}`}
        {state === 'sending' && ` · ${shareText(share)} sent`}
        {isResumed && ' · went on where it was'}
        {state === 'spreading' && ' · all sent, on its way'}
      </span>
      {state !== 'ready' && (
        <Bar label={`Upload of ${file.name}`} share={state === 'complete' ? 1 : share} />
      )}
      {fault !== null && <Notice tone="bad">{fault}</Notice>}
      <span class="row-actions">
        {transfer !== null && <a href={`#/transfers/${transfer}`}>Watch</a>}
        {!isBusy && (
          <button
            type="button"
            class="quiet"
            aria-label={`Take ${file.name} off the list`}
            onClick={onDrop}
          >
            Take off
          </button>
        )}
      </span>
    </li>
  )
}

const formats: Readonly<Record<string, string>> = { bytes: 'data' }

function kindOf({ format, isLinear, tracks }: NonNullable<FileUpload['division']>): string {
  const bitRate = tracks.reduce((sum, track) => sum + (track.bitRate ?? 0), 0)
  return [
    formats[format] ?? format,
    ...(bitRate > 0 ? [rateText(bitRate / 8)] : []),
    ...(isLinear ? [] : ['its index first']),
  ].join(', ')
}
