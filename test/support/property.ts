/**
 * fast-check with the same cases in every run, so that a test that passed once passes again on the
 * same code. FR_SEED picks others: `FR_SEED=$RANDOM npm run test:unit`.
 */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env['FR_SEED'] ?? 20_030_326) })

export { default } from 'fast-check'
