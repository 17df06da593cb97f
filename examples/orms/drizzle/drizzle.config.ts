import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: "./schema.ts",
  dbCredentials: { url: process.env.DATABASE_URL! },
  // pgmarch's version table, in a database that pgmarch has upgraded.
  tablesFilter: ["!alembic_version"],
});
