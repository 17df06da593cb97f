"""The models of the example."""

import enum

from sqlalchemy import Enum, ForeignKey, Identity, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Plan(enum.Enum):
    free = "free"
    paid = "paid"


class Team(Base):
    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    plan: Mapped[Plan] = mapped_column(Enum(Plan), server_default="free")


class Member(Base):
    __tablename__ = "members"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey(Team.id, ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(Text, index=True)
