/* Fills in what a running cluster would have added to manifests that were written by hand: pods that were never scheduled have
 * no address, services no ClusterIP and no endpoints. Policies shall be testable before anything runs.
 *
 *   pods           without an address get one of each family
 *   host network   pods there have their node's address, or a made-up one while the node is not known
 *   services       without a ClusterIP get one of each family; a load balancer's addresses count as further ones
 *   endpoints      of services with a selector and without EndpointSlices are the pods that it selects, ready or not
 *   namespaces     that pods are in without an object have no labels but their name; policies are enforced in all of them,
 *                  also where they are only audited yet
 *
 * Which endpoints a service would prefer from a given node, or for a given client, does not matter here: all are used. Made-up
 * addresses are those that are set apart for benchmarks, of which no real network has any (RFC 2544, RFC 5180), as far as the
 * manifests do not use them. One thread. */
#ifndef RINGWAY_OFFLINE_COMPLETE_H
#define RINGWAY_OFFLINE_COMPLETE_H

#include "control/model/store.h"

/* Changes the objects in place, so before anybody builds from them. 0; -ENOMEM; -E2BIG: there are more pods and services
 * than made-up addresses. */
int manifests_complete(struct store *store);

/* The same for questions to the DNS: what services are and say stays as it is, but for addresses that they lack; headless ones get
 * their endpoints, with their pods' hostnames; and namespaces exist that services are in. */
int manifests_complete_for_dns(struct store *store);

#endif
