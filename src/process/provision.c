// SPDX-License-Identifier: Apache-2.0
/* What a child is given before it starts: its own part of the configuration, certificates (public),
 * listening sockets, and a channel to each peer that runs (connect.c). Files are read here as bytes
 * and passed on; what is in them is for others to interpret. */
#include "process/preflight.h"
#include "process/supervisor_private.h"

#include "base/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- files ---- */

int provision_load_master_key(struct supervisor *s, struct err *err)
{
	char path[4200];
	AUTO(buf_done)
	struct buf bytes;
	struct log_text text;
	struct err why = ERR_INIT;
	buf_init(&bytes, 64);
	snprintf(path, sizeof(path), "%s/master.key", s->o.config->directory);
	int result = config_read_file(path, &bytes, &why);
	if (result < 0 || bytes.n != sizeof(s->master_key))
		return fail_log(err, ERR_CONFIG, "cannot read the 32 bytes of %s: %s%s", path,
			result < 0 ? why.public_text : "wrong length",
			access(path, F_OK) < 0 && errno == ENOENT ? PREFLIGHT_NO_KEY : "");
	memcpy(s->master_key, bytes.p, bytes.n);
	mem_wipe(bytes.p, bytes.n);
	if (s->o.admin_handle < 0 && preflight_file_is_open(path))
		log_event(&s->o.log, LOG_WARN, "master-key-open", "file=%s note=%s",
			log_value(&text, str_from(path)),
			"\"others than its owner can read it (chmod 600)\"");
	return 0;
}

/* ---- sending ---- */

void provision_say(struct child *c, const struct frame *f)
{
	if (c->control && !channel_send(c->control, 0, f))
		log_event(&c->supervisor->o.log, LOG_ERROR, "frame-refused", "role=%s frame=%s",
			c->row->name, frame_name((uint16_t)f->type));
}

void provision_hand_over(
	struct supervisor *s, struct channel *to, const struct frame_hand_over *what, int handle)
{
	struct frame f = { .type = FRAME_HAND_OVER, .hand_over = *what };
	if (to)
		channel_send_handle(to, 0, &f, handle);
	else
		s->loop->class->handle_close(s->loop, handle);
}

/* ---- configuration ---- */

void provision_config(struct child *c)
{
	struct supervisor *s = c->supervisor;
	AUTO(buf_done)
	struct buf text;
	char directory[4200] = "";
	struct str ticket_key = str_make(s->ticket_key, sizeof(s->ticket_key));
	buf_init(&text, 60000);
	config_write_for(s->o.config, (enum config_reader)c->row->config, &text);
	if (c->row->directory)
		snprintf(directory, sizeof(directory), "%s/%s", s->o.config->directory,
			c->row->directory);
	struct frame f = { .type = FRAME_NONE };
	switch (c->row->channel_class) {
	case CLASS_STORE:
		f.type = FRAME_STORE_CONFIG;
		f.store_config = (struct frame_store_config){ ticket_key, buf_str(&text),
			str_from(directory), s->distrust };
		break;
	case CLASS_GATE:
		f.type = FRAME_GATE_CONFIG;
		f.gate_config = (struct frame_gate_config){ ticket_key,
			str_make(s->master_key, sizeof(s->master_key)), buf_str(&text) };
		break;
	case CLASS_KEYS:
		f.type = FRAME_KEYS_CONFIG;
		f.keys_config = (struct frame_keys_config){ buf_str(&text), str_from(directory),
			str_make(s->ticket_secret, sizeof(s->ticket_secret)) };
		break;
	case CLASS_COURIER:
		f.type = FRAME_COURIER_CONFIG;
		f.courier_config.text = buf_str(&text);
		break;
	default:
		f.type = FRAME_FRONT_CONFIG;
		f.front_config = (struct frame_front_config){ str_from(c->row->name), c->instance,
			str_from(s->o.config->hostname), buf_str(&text) };
		break;
	}
	provision_say(c, &f);
}

/* ---- listeners ---- */

/* All of them go to a front at once, and channels to its peers behind them. */
_Static_assert((CONFIG_LISTEN_MAX - 1) * 8 <= LIMIT_TAKEOVER_LISTENERS, "eight services");
_Static_assert(LIMIT_TAKEOVER_LISTENERS + 8 <= LIMIT_CHANNEL_HANDLES, "and some peers");

static void send_listeners(struct child *c)
{
	struct supervisor *s = c->supervisor;
	for (size_t i = 0; i < s->o.listeners_n; i++) {
		const struct supervisor_listener *l = &s->o.listeners[i];
		if (l->service->peer_class != c->row->channel_class)
			continue;
		int copy = s->o.copy_listener ? s->o.copy_listener(s->o.copy_arg, l)
					      : dup(l->handle);
		if (copy >= 0)
			provision_hand_over(s, c->control,
				&(struct frame_hand_over){ .kind = str_from(l->service->name) },
				copy);
		else
			log_event(&s->o.log, LOG_ERROR, "no-listener", "role=%s service=%s",
				c->row->name, l->service->name);
	}
}

void provision_child(struct child *c)
{
	struct frame ping = { .type = FRAME_PING };
	provision_config(c);
	if (c->row->class == &front_role)
		certificates_send(c, &c->supervisor->certificates, 0);
	if (c->holds)
		provision_say(c, &ping);
	else
		provision_start(c);
}

void provision_start(struct child *c)
{
	struct frame start = { .type = FRAME_START };
	if (c->row->class == &store_role &&
		c->supervisor->distrust) /* known only since it was loaded, perhaps */
		provision_config(c);
	/* Only then what others speak on: on channels that a role is given before it has started,
	 * their questions could arrive when it can answer none. */
	provision_say(c, &start);
	if (c->spare)
		return;
	connect_child(c);
	if (c->row->class != &front_role)
		return;
	send_listeners(c);
	reload_offer(c);
}

/* ---- a command's ---- */

static void status_text(const struct supervisor *s, struct buf *out)
{
	static const char *const states[] = { "down", "starting", "up", "draining" };
	VEC_EACH (struct child *, at, &s->children) {
		const struct child *c = *at;
		if (c->spare)
			continue;
		int64_t ms = c->started_ms == 0 ? 0 : supervisor_now(s) - c->started_ms;
		bool leaving = c->leaving && c->state == CHILD_UP;
		buf_addf(out, "%s %d %s %u %lld\n", c->row->name, c->process,
			leaving ? "leaving" : states[c->state], c->restarts, (long long)ms / 1000);
	}
}

void provision_admin(struct supervisor *s, struct channel *admin, uint32_t instance)
{
	AUTO(buf_done)
	struct buf text;
	VEC_EACH (struct child *, at, &s->children) {
		struct child *c = *at;
		int pair[2];
		bool wanted = !c->leaving && (c->row->channel_class == CLASS_STORE ||
						     c->row->channel_class == CLASS_GATE ||
						     c->row->channel_class == CLASS_COURIER);
		if (!wanted || c->holds || c->control == NULL ||
			s->loop->class->pair(s->loop, pair) < 0)
			continue;
		provision_hand_over(s, admin,
			&(struct frame_hand_over){ .kind = str_from(c->row->name),
				.instance = c->instance,
				.role = (uint8_t)c->row->channel_class },
			pair[0]);
		provision_hand_over(s, c->control,
			&(struct frame_hand_over){
				.kind = STR("admin"), .instance = instance, .role = CLASS_ADMIN },
			pair[1]);
	}
	buf_init(&text, 60000);
	status_text(s, &text);
	struct api_certificate list[LIMIT_CERTIFICATES];
	struct frame f = { .type = FRAME_STATUS,
		.status = { .text = buf_str(&text),
			.certificates = { list, certificates_list(s, list) },
			.upgrades = s->upgrade.generation,
			.reloads = s->reload.done,
			.reloading = s->reload.phase != RELOAD_NONE || s->reload.again,
			.reload_refused_why = str_from(s->reload.why),
			.for_start = str_from(s->reload.for_start),
			.upgrades_refused = s->upgrade.refused,
			.refused_why = str_from(s->upgrade.why),
			.upgrading = s->upgrade.under_way || s->upgrade.checking ||
				     s->upgrade.may_go } };
	if (!channel_send(admin, 0, &f))
		log_event(&s->o.log, LOG_ERROR, "frame-refused", "role=admin frame=status");
}
