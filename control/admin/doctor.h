/* GET /v1/doctor: what the running daemon sees wrong with its node, each with what to do. {"checks": [{"check", "status",
 * "found", "advice"}]}, as `ringway doctor` shows them behind its own. Control thread only. */
#ifndef RINGWAY_ADMIN_DOCTOR_H
#define RINGWAY_ADMIN_DOCTOR_H

#include "control/admin/admin.h"

admin_handler doctor_handle;

#endif
