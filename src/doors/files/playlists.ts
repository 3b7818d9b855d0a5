/**
 * `NAME.m3u8`: a film that a node has, or that still comes, as a playlist (RFC 8216) of byte ranges
 * in the file itself, which `/files/NAME` serves.
 *
 * The idea: what was read of a film is remembered, and each request reads a bounded part of what
 * has come since. A playlist that does not have all of it yet has no end, so players ask again.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { OpenContent } from '../../api/open-types.js'
import { doorLimits } from '../../base/door-limits.js'
import { Segmenting } from '../../media/segmenting.js'
import { HttpError } from '../problem.js'
import { playlistOf } from './playlist.js'

export const playlistType = 'application/vnd.apple.mpegurl'
export const playlistEnd = '.m3u8'
/** Milliseconds between looks at a film that comes and has no segment yet. */
const lookMs = 200

interface Film {
  readonly segmenting: Segmenting
  /** All before it is there. */
  there: number
  /** The reading that goes on; whoever comes meanwhile waits for it. */
  reading: Promise<void> | null
}

export class Playlists {
  /** The one that was asked for last is the last. */
  readonly #films = new Map<string, Film>()

  /**
   * `uri`: of the file, beside the playlist. Rejects with 404 where it is no film of segments, 503
   * where none has come in time, the signal's reason, or as reading does.
   */
  async of(content: OpenContent, uri: string, signal: AbortSignal): Promise<string> {
    const film = this.#film(content.contentId)
    const { segmenting } = film
    const fromMs = performance.now()
    for (;;) {
      film.reading ??= read(film, content).finally(() => {
        film.reading = null
      })
      await film.reading
      signal.throwIfAborted()
      if (segmenting.fault !== null)
        throw new HttpError(404, 'ERR_FR_NOT_HELD', `no playlist: it is ${segmenting.fault}`)
      if (segmenting.segments.list.length > 0) break
      if (performance.now() - fromMs > doorLimits.arriveMs) throw tooEarly()
      await delay(lookMs, undefined, { signal })
    }
    return playlistOf(segmenting, { uri, isFromStart: content.state !== 'growing' })
  }

  #film(id: string): Film {
    const film = this.#films.get(id) ?? { segmenting: new Segmenting(), there: 0, reading: null }
    this.#films.delete(id)
    this.#films.set(id, film)
    for (const [oldest] of this.#films) {
      if (this.#films.size <= doorLimits.playlists) break
      this.#films.delete(oldest)
    }
    return film
  }
}

function tooEarly(): HttpError {
  const headers = { 'retry-after': '5' }
  return new HttpError(503, 'ERR_FR_BUSY', 'too little of the film has come', headers)
}

/** Reads on, as far as it has come and for a bounded part. */
async function read(film: Film, content: OpenContent): Promise<void> {
  const { segmenting } = film
  for (let times = 0; times < doorLimits.playlistReads; times++) {
    for (let more = content.available(film.there); more > 0; ) {
      film.there += more
      more = content.available(film.there)
    }
    const reader = segmenting.advance(film.there, film.there === content.size)
    let step = reader.next()
    while (!step.done) step = reader.next(await bytesOf(content, ...step.value))
    if (step.value) return
  }
}

/** Fewer where somebody has taken them away. */
async function bytesOf(content: OpenContent, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let at = 0
  while (at < length) {
    const read = await content.read(offset + at, length - at)
    if (read.length === 0) break
    bytes.set(read, at)
    at += read.length
  }
  return bytes.subarray(0, at)
}
