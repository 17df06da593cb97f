import { index, integer, pgEnum, pgTable, text } from "drizzle-orm/pg-core";

export const plan = pgEnum("plan", ["free", "paid"]);

export const teams = pgTable("teams", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  name: text().notNull().unique(),
  plan: plan().notNull().default("free"),
});

export const members = pgTable(
  "members",
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    teamId: integer("team_id").notNull().references(() => teams.id, { onDelete: "cascade" }),
    email: text().notNull(),
  },
  (table) => [index("members_email").on(table.email)],
);
