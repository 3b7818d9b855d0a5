/** The pictures of the documents show what the program does now. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { pictureOf } from '../../scripts/pictures.mjs'
import { root } from './cli-world.js'

it('the terminal of a push is drawn as fr push draws it (else: npm run pictures)', () => {
  const record = JSON.parse(readFileSync(`${root}/docs/pictures/push.json`, 'utf8'))
  const picture = readFileSync(`${root}/docs/pictures/push.svg`, 'utf8')
  expect(pictureOf(record)).toBe(picture)
})
