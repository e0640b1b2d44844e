/** @file How far choosing among N samples can move a policy. */

/**
 * An upper bound, in nats, of the KL divergence of the chosen answer's distribution from the policy's: log N - (N - 1) / N.
 *
 * Beirami et al. 2024, arXiv 2401.01879, for the best reward of N; it is an equality where single answers are unlikely and rewards have no
 * ties. It holds for every other way to choose one of N independent samples as well: a set of answers with probability p is hit with probability at
 * most 1 - (1 - p)^N, with equality for the best of N, so that the ratio of densities of any other choice is majorised by that one's, N u^(N - 1) for
 * u uniform in [0, 1], whose KL divergence is the bound.
 *
 * @param samples N, at least 1
 */
export function klBoundNats(samples: number): number {
  return Math.log(samples) - (samples - 1) / samples;
}
