/** Addresses as people write them, for whoever has to read some before anything is started. */
export { type Address, formatAddress, parseAddress } from '../net/address.js'
