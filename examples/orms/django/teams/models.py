"""The models of the example."""

from django.conf import settings
from django.db import models


class Team(models.Model):
    name = models.TextField(unique=True)
    plan = models.CharField(max_length=10, db_default="free")


class Member(models.Model):
    team = models.ForeignKey(Team, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    email = models.EmailField(db_index=True)
