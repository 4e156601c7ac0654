/* Where the API server is and how we show who we are: from a kubeconfig, or from the options with what Kubernetes mounts into
 * a pod. What is in files is read again from time to time: tokens and certificates are short-lived. Control thread only. */
#ifndef RINGWAY_SOURCE_API_CREDENTIALS_H
#define RINGWAY_SOURCE_API_CREDENTIALS_H

#include "control/config.h"
#include "control/source/api/kubeconfig.h"

/* Fills *out, data of files included: what has neither file nor data is not used. cluster.apiServer goes above a kubeconfig's
 * server. 0, or -EINVAL or -errno with the error, which names the option. */
int api_credentials_read(
	struct kubeconfig *out, const struct config *config, char error[static KUBECONFIG_ERROR_SIZE]);

/* Reads the files again. What cannot be read stays as it was: -errno with the error then. */
int api_credentials_refresh(struct kubeconfig *k, char error[static KUBECONFIG_ERROR_SIZE]);

#endif
