/** Bounds that depend on each other: what each of them is for holds only while these are so. */
import { expect, it } from 'vitest'
import { blockBytesFor, KIB, limits, MIB } from '../../../src/base/limits.js'

function relation(holds: boolean, text: string): void {
  it(text, () => expect(holds).toBe(true))
}

relation(
  limits.descriptorsPerPush * 2 <= limits.transfersPerNode,
  'a node has room for two pushes of as many descriptors as there may be',
)
relation(limits.manifestPageBytes < limits.frameBytes, 'a manifest page fits a frame')
relation(
  limits.listPageBytes + 8 * limits.nameBytes < limits.frameBytes,
  'a page of a list fits a frame with one more name, and the place where it goes on',
)
relation(4 * limits.nameBytes < 3 * limits.listCursorChars, 'a list goes on behind any name')
relation(
  2 * limits.masterRowsBytes + 8 * limits.masterRows < limits.frameBytes,
  'rows of a master fit a frame, where each quotation mark in them takes another byte',
)
relation(6 * limits.setsPartChars < limits.frameBytes, 'a part of sets fits a frame')
relation(2 * limits.announcementBytes < limits.frameBytes, 'an announcement fits a frame as text')
relation(limits.acceptMs < limits.fetchOtherMs, 'a holder has its time to answer')
relation(limits.fetchOtherMs < limits.fetchSilenceMs, 'where others are it is left sooner')
relation(
  limits.followAheadBytes <= limits.pullRequests * limits.pullUnitBytesMax,
  'what a reader asks ahead of what it has verified is taken on by its node',
)
relation(limits.verifyingMs * 3 < limits.acceptMs, 'who verifies is heard in time')
relation(
  limits.commitMembers * (limits.addressChars + 100) + 8 * limits.nameBytes < limits.frameBytes,
  'a word with the list of all members fits a frame',
)
relation(
  limits.masterPageBytes + limits.masterRanges * 36 + 8 * limits.nameBytes < limits.frameBytes,
  'a page of what a node holds fits a frame with one more content',
)
relation(
  limits.masterStateMs * 2 < limits.masterSilenceMs && limits.masterStateMs < limits.copySilenceMs,
  'a node speaks of its copies before its link, or a copy, is over',
)
relation(
  limits.dictionaryPage * (4 * limits.attributeValueChars) < limits.frameBytes + 16 * KIB &&
    limits.findPage * (limits.addressChars + 3 * limits.attributeValueChars + 100) <
      limits.frameBytes &&
    limits.historyCount * 36 < limits.frameBytes,
  'a page of a dictionary, of nodes that were found, and all ids of a history fit a frame',
)
relation(limits.announcementBytes * 2 < limits.frameBytes, 'an announcement fits a frame')
relation(
  limits.directorySilenceMs < limits.riseMs / 2 && limits.riseMs < limits.riseMsMax,
  'a node moves up when those around it have found their places',
)
relation(
  limits.directoryBeatMs * 3 < limits.directorySilenceMs && limits.approveMs < limits.enrollMs,
  'a neighbour is heard in time, and so is who approves of a node',
)
relation(limits.commitAnswerMs < limits.acceptMs, 'who is asked about a decision answers in time')
relation(
  limits.commitBeatMs + limits.commitAnswerMs < limits.commitQuietMs,
  'an author that waits for an answer is not taken for gone',
)
relation(limits.listMs * 2 < limits.acceptMs, 'a page comes in time')
relation(limits.askAgainMs * 2 < limits.acceptMs, 'no question meets a link that its node drops')
relation(limits.frameBytes < limits.linkQueueBytes, 'a frame fits the link queue')
relation(
  limits.attemptMs * limits.addressesPerHost < limits.connectMs,
  'every address of a host is tried in the time to connect',
)
relation(limits.progressMs * 3 < limits.suspectMs, 'three lost reports before suspicion')
relation(limits.suspectMs < limits.awayMs, 'suspected before away')
relation(
  limits.groupReportMs * 3 < limits.leaderMs && limits.leaderMs < limits.suspectMs,
  'a leader is replaced before anybody is suspected',
)
relation(
  limits.leaderMs < limits.ledMs && limits.ledMs < limits.suspectMs,
  'who is led reports for itself before it is suspected, and not for the silence of its leader',
)
relation(limits.leaderFirstMs < limits.awayMs, 'a new leader hides nobody until it is away')
relation(
  limits.progressMs * 2 <= limits.relayClaimMs && limits.relayClaimMs < limits.askMs,
  'a mate reports twice before it is believed, and before it has the bytes elsewhere',
)
relation(limits.awayMs < limits.silenceMs, 'away before lost')
relation(
  limits.leaseBeatMs + 2 * limits.leaseRequestMs < limits.leaseMs,
  'a master that leads may fail to write once',
)
relation(limits.leaseMs * 1.2 < limits.leasePatienceMs, 'a lease is over before it is taken')
relation(
  limits.leasePatienceMs + limits.leaseLookMs + limits.leaseRequestMs < 3_000,
  'a master that was killed is replaced within 3 s',
)
relation(
  limits.leasePatienceMs < limits.masterListensMs,
  'the master before has been silent for a while when another one begins copies',
)
relation(
  limits.mastersStateMs * 3 < limits.mastersSilenceMs,
  'three lost words before a node looks for another master',
)
relation(
  limits.statePieceBytes + limits.stateHeadBytes < MIB,
  'a value fits a message of a server that was not told otherwise',
)
relation(
  limits.stateJournalTerms * 64 + 4 * KIB < limits.stateHeadBytes,
  'the head has room for all who wrote',
)
relation(limits.drainMs * 2 < limits.wordMs, 'a node waits for its origin for less than it may')
relation(limits.wordMs < limits.awayMs, 'a broken feed is found before silence')
relation(
  limits.silenceMsMin <= limits.silenceMs && limits.silenceMs <= limits.silenceMsMax,
  'the silence of a push that says nothing about it is one that may be asked for',
)
relation(
  limits.beatMs * 3 < limits.silenceMsMin + limits.originGraceMs,
  'three lost beats before the origin counts as lost',
)
relation(
  limits.beatMs < limits.originQuietMs && limits.originQuietMs < limits.askMs,
  'a node knows that the origin is quiet before it asks',
)
relation(limits.originGraceMs < limits.connectionGraceMs, 'silence ends first, then connections')
relation(limits.pullAnswerMs < limits.pullSearchMs, 'a mate may answer while others are sought')
relation(limits.pullSearchMs < limits.askMs, 'the origin is asked before a node asks again')
relation(limits.pullServedMs < limits.pullPatienceMs, 'a promise has its time')
relation(limits.pullPatienceMs * 3 <= limits.stallMs, 'mates that lie are left in good time')
relation(limits.pullQuietMs < limits.pullServedMs, 'quiet holders are found before slow ones')
relation(limits.askMsMax * 2 < limits.stallMs, 'a node asks again before it is given up')
relation(limits.decideMs < limits.acceptMs, 'a hook that is too late is named to the origin')
relation(
  limits.decideMs + limits.claimMs < limits.acceptMs,
  'a name is waited for within the answer to an offer',
)
relation(limits.readyMs < limits.acceptMs, 'the plan waits for less than a node may take')
relation(limits.nodesPerPush * (1 + limits.retries) <= limits.placesPerPush, 'places for retries')
relation(
  limits.rosterEntries * (3 * limits.addressChars + 6 * limits.siteChars + 256) < limits.frameBytes,
  'a page of the roster fits a frame',
)
relation(2 * limits.nodesPerGroup < limits.membersPerPlan, 'a plan can name a whole group')
relation(limits.nodesPerGroup < limits.routesPerPlan, 'a plan can name all columns of a group')
relation(2 * limits.columnsPerPush < limits.routesPerPlan, 'one node can be in every column')
relation(3 * limits.redialMsMax < limits.reachMs, 'a node that comes up is found soon')
relation(limits.reachMs + 2 * limits.acceptMs < limits.addMs, 'a node can join in that time')
relation(limits.progressMs * 10 < limits.rateWindowMs, 'a rate is judged by many reports')
relation(limits.stallMs < limits.publishMs, 'making a file durable may take longest')
relation(limits.recordPayloadBytes <= limits.fallocateStepBytes, 'a record spans two steps at most')
relation(
  Math.max(limits.hashTaskBytes, limits.blockBytesMax) <= limits.hashHolesBytes,
  'a task without data is hashed at once',
)
relation(
  limits.digestHeadBytes + (limits.hashTaskBytes / limits.blockBytesMin) * 32 <=
    limits.recordDigestBytes,
  'the digests of one hash task fit a record',
)
relation(
  limits.digestHeadBytes + 32 <= limits.relayedDigestBytesPerBlock,
  'all digest records of a file can be passed on',
)
relation(
  limits.blocksPerFile * 32 + 4 * KIB <= limits.sentFileBytes,
  'digests of any file are kept',
)
relation(limits.sentFileBytes <= limits.sentBytes, 'one file fits the cache')
relation(
  limits.blocksPerFile * 113 <= limits.heldDigestBytes,
  'the digests of the largest file can be kept, each block signed by itself',
)
relation(
  limits.nameBytes * 6 + limits.catalogueLineDigestBytes * 2 + KIB <= limits.catalogueLineBytes,
  'a record fits a line',
)
relation(limits.hashInlineBytes <= limits.hashTaskBytes, 'inline runs are small tasks')
relation(limits.traceEventsRare < limits.traceEvents, 'a trace has room for what is common')
relation(limits.traceChunkBytes < limits.traceQueueBytes, 'a piece of a trace fits its queue')
relation(limits.blockBytesMin <= limits.rateMin, 'a limit lets through a block a second')
relation(limits.blocksTarget <= limits.blocksPerFile, 'the blocks aimed at are allowed')
relation(
  blockBytesFor(limits.hashSmallFileBytes) <= limits.hashInlineBytes,
  'a block of a small file is hashed at once',
)
relation(
  5 * limits.sharedRenewMs < limits.sharedExpireMs,
  'who brings a content to a shared directory may miss several words',
)
relation(3 * limits.claimEveryMs <= limits.acceptMs, 'a node that waits may miss two words')
relation(
  limits.readAheadBytes < limits.grownAheadBytes,
  'what was read ahead is within what nodes are told of',
)
