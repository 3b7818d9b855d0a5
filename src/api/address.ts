/** Addresses as people write them, for code that needs some before anything is started. */
export { dnsPrefix, parseDnsName } from '../base/addresses.js'
export { type Address, formatAddress, parseAddress } from '../net/address.js'
